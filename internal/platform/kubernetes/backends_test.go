package kubernetes

import (
	"fmt"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairwayhq/fairway/internal/platform"
)

// routed are backends of rules with these backendRefs: pairs of Service and weight, which
// is left out where it is negative.
func routed(t *testing.T, rules ...[]any) backends {
	t.Helper()
	var all []any
	for _, pairs := range rules {
		var refs []any
		for i := 0; i < len(pairs); i += 2 {
			ref := map[string]any{"name": pairs[i], "port": int64(80)}
			if w := int64(pairs[i+1].(int)); w >= 0 {
				ref["weight"] = w
			}
			refs = append(refs, ref)
		}
		all = append(all, map[string]any{"backendRefs": refs})
	}
	b, err := readBackends(&unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"rules": all}}}, "shop")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// weightsOf are the backendRefs of a route, in a few characters.
func weightsOf(t *testing.T, route *unstructured.Unstructured) string {
	t.Helper()
	b, err := readBackends(route, "shop")
	if err != nil {
		t.Fatal(err)
	}
	text := ""
	for _, i := range b.ours {
		for _, ref := range b.refs(i) {
			r := ref.(map[string]any)
			text += fmt.Sprint(r["name"], ":", r["weight"], " ")
		}
		text += "| "
	}
	return text
}

func TestTheWeightsToRestoreAreThoseBeforeTheRelease(t *testing.T) {
	seven := int64(7)
	for name, c := range map[string]struct {
		route backends
		want  string
	}{
		"a person has changed them":   {routed(t, []any{"shop", 3}, []any{"shop", -1}), "shop:3 | shop:<nil> | "},
		"a side has traffic":          {routed(t, []any{"shop", 90, "shop-r-1", 10}, []any{"shop", -1}), "shop:7 | shop:7 | "},
		"a side has lost its traffic": {routed(t, []any{"shop", 100, "shop-r-1", 0}, []any{"shop", -1}), "shop:7 | shop:7 | "},
		"nobody has traffic":          {routed(t, []any{"shop", 0}, []any{"shop", -1}), "shop:7 | shop:7 | "},
	} {
		m := mark{Original: []*int64{&seven, &seven}}
		c.route.begin(&m)
		if got := weightsOf(t, c.route.restore(m.Original)); got != c.want {
			t.Errorf("%s: they become %s, not %s", name, got, c.want)
		}
	}
}

func TestAHomeAloneHasItsOwnWeights(t *testing.T) {
	three := int64(3)
	m := mark{Original: []*int64{&three}}
	route := routed(t, []any{"shop", 0})
	if got := weightsOf(t, route.give(&m, []string{"shop"}, map[string]int{"shop": platform.Whole})); got != "shop:3 | " {
		t.Errorf("alone it has %s", got)
	}
	if got := weightsOf(t, route.give(&m, []string{"shop", "shop-r-1"}, map[string]int{"shop": platform.Whole})); got != "shop:1000000 shop-r-1:0 | " {
		t.Errorf("with a side beside it they are %s", got)
	}
	if got := weightsOf(t, route.give(&m, []string{"shop"}, nil)); got != "shop:0 | " {
		t.Errorf("without any traffic it has %s", got)
	}
}
