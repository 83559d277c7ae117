package kubernetes

import (
	"context"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairwayhq/fairway/internal/manifest"
)

// newAccounts are the release's service accounts that are not there yet: its pods need them.
// They go with the side, whose Secrets they pull images with; when the home is updated they
// are written again, and stay. Where a controller updates it, keepAccounts makes them stay.
func (p *Platform) newAccounts(ctx context.Context, set Settings, names map[manifest.Reference]string) ([]placedObject, error) {
	all, err := set.placeable(true)
	if err != nil {
		return nil, err
	}
	var missing []placedObject
	for _, o := range all {
		if o.resource != serviceAccounts {
			continue
		}
		switch _, err := p.client(o.resource).Get(ctx, o.object.GetName(), metav1.GetOptions{}); {
		case apierrors.IsNotFound(err):
			if o.object, err = renamedObject(o.object, names); err != nil {
				return nil, err
			}
			missing = append(missing, o)
		case err != nil:
			return nil, faultOf(err, "read "+nameOf(o.object))
		}
	}
	return missing, nil
}

// keepAccounts makes the service accounts that a side has brought stay when it goes: they are
// the home's now. What else is in them is the controller's.
func (p *Platform) keepAccounts(ctx context.Context, s side) error {
	set, err := ParseSettings(s.revision.Settings)
	if err != nil {
		return err
	}
	all, err := set.placeable(true)
	if err != nil {
		return err
	}
	for _, o := range all {
		if o.resource != serviceAccounts {
			continue
		}
		there, err := p.client(o.resource).Get(ctx, o.object.GetName(), metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return faultOf(err, "read "+nameOf(o.object))
		}
		if kept := p.withoutSide(there, s); kept != nil {
			if _, err := p.patch(ctx, placedObject{o.resource, there}, map[string]any{"metadata": kept}); err != nil {
				return err
			}
		}
	}
	return nil
}

// withoutSide is what to change in an object's metadata so that it does not belong to the side
// any more; nil if it does not.
func (p *Platform) withoutSide(o *unstructured.Unstructured, s side) map[string]any {
	others := slices.DeleteFunc(o.GetOwnerReferences(), func(owner metav1.OwnerReference) bool { return owner.UID == s.deployment.UID })
	if len(others) == len(o.GetOwnerReferences()) {
		return nil
	}
	marks := map[string]any{}
	for key, value := range (standing{home: p.settings.Deployment, revision: s.revision.ID}).mark() {
		if o.GetLabels()[key] == value {
			marks[key] = nil
		}
	}
	return map[string]any{"ownerReferences": others, "labels": marks}
}
