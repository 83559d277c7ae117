package manifest

import (
	"cmp"
	"slices"

	"github.com/fairwayhq/fairway/internal/fault"
)

// MaxSize is how long all objects of a release may be together, in bytes of JSON: they
// are kept with every release.
const MaxSize = 1 << 20

// Settle returns the objects in the order that does not depend on the files they came
// from: by kind, namespace, name and group. It is not the order in which to apply them.
//
// It refuses (fault.Invalid) two objects that are the same one to Kubernetes, whatever
// version they are written in, and more than MaxSize bytes. An object without a
// namespace is taken to be in the given one, which may be empty.
func Settle(objects []Object, namespace string) ([]Object, error) {
	type identity struct{ group, kind, namespace, name string }
	first := map[identity]Object{}
	size := 0
	var largest Object
	for _, o := range objects {
		id := identity{o.Group(), o.Kind, cmp.Or(o.Namespace, namespace), o.Name}
		if before, ok := first[id]; ok {
			return nil, fault.Errorf(fault.Invalid, "%s is there twice: in %s and in %s", o, before.Origin, o.Origin).
				WithHint("remove one of them")
		}
		first[id] = o
		size += len(o.Raw)
		if len(o.Raw) > len(largest.Raw) {
			largest = o
		}
	}
	if size > MaxSize {
		return nil, fault.Errorf(fault.Invalid, "the %d objects are %d KiB together; a release keeps at most %d KiB",
			len(objects), (size+1023)>>10, MaxSize>>10).
			WithHint("the largest is %s (%d KiB); what does not change with a release need not be part of it",
				largest, (len(largest.Raw)+1023)>>10)
	}
	sorted := slices.Clone(objects)
	slices.SortFunc(sorted, func(a, b Object) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Namespace, b.Namespace),
			cmp.Compare(a.Name, b.Name), cmp.Compare(a.Group(), b.Group()))
	})
	return sorted, nil
}
