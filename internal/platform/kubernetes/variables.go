package kubernetes

import (
	"context"
	"encoding/json"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairwayhq/fairway/internal/platform"
)

// baseOf is the home as a release builds on it. Without manifests, variables that the release
// before has set for itself, and the new one does not name, are gone from it.
func (p *Platform) baseOf(home *appsv1.Deployment, r platform.Revision, managers []metav1.ManagedFieldsEntry) (*appsv1.Deployment, error) {
	if managers == nil {
		return home, nil
	}
	if set, err := ParseSettings(r.Settings); err != nil || len(set.Objects) > 0 {
		return home, err
	}
	former, err := unpack(home)
	if err != nil {
		return nil, err
	}
	own := home.DeepCopy()
	c, err := chosen(own.Spec.Template.Spec, p.settings.Container, r.Artifact)
	if err != nil {
		return nil, err
	}
	gone := managedVariables(managers, c.Name).left(former.Config.Env, r.Config.Env)
	c.Env = slices.DeleteFunc(c.Env, func(v corev1.EnvVar) bool { return slices.Contains(gone, v.Name) })
	return own, nil
}

// managersOf reads who has set which of the home's fields; nil where Fairway has not written it
// before.
func (p *Platform) managersOf(ctx context.Context, home *appsv1.Deployment) ([]metav1.ManagedFieldsEntry, error) {
	if home == nil || home.Annotations[placedAnnotation] == "" {
		return nil, nil
	}
	list, err := p.client(deployments).List(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + home.Name})
	if err != nil {
		return nil, faultOf(err, "read Deployment "+home.Name)
	}
	if len(list.Items) == 0 || list.Items[0].GetGeneration() != home.Generation {
		return nil, errStale
	}
	return list.Items[0].GetManagedFields(), nil
}

// variables are those of one container that Fairway manages: valued ones have their value
// from nobody else, and what is shared has its place in the list from others too.
type variables struct{ valued, shared map[string]bool }

// left are the variables that an older release has set for itself and the new one does not name.
func (v variables) left(former, next map[string]string) []string {
	var all []string
	for _, name := range sortedKeys(former) {
		if _, named := next[name]; !named && v.valued[name] && !v.shared[name] {
			all = append(all, name)
		}
	}
	return all
}

// managedVariables reads who has set a container's variables, as the API server notes it.
func managedVariables(entries []metav1.ManagedFieldsEntry, container string) variables {
	v := variables{valued: map[string]bool{}, shared: map[string]bool{}}
	others := map[string]bool{}
	for _, e := range entries {
		for name, valued := range variablesIn(e, container) {
			if e.Manager == fieldManager {
				v.valued[name] = v.valued[name] || valued
			} else {
				v.shared[name], others[name] = true, others[name] || valued
			}
		}
	}
	for name := range others {
		v.valued[name] = v.valued[name] && !others[name]
	}
	return v
}

// variablesIn are the container's variables that one manager has in the list, and whether
// their values are its own too.
func variablesIn(e metav1.ManagedFieldsEntry, container string) map[string]bool {
	type fields = map[string]json.RawMessage
	var of struct {
		Spec struct {
			Template struct {
				Spec struct {
					Containers fields `json:"f:containers"`
				} `json:"f:spec"`
			} `json:"f:template"`
		} `json:"f:spec"`
	}
	if e.FieldsV1 == nil || json.Unmarshal(e.FieldsV1.GetRawBytes(), &of) != nil {
		return nil
	}
	var c struct {
		Env map[string]fields `json:"f:env"`
	}
	if json.Unmarshal(of.Spec.Template.Spec.Containers[nameKey(container)], &c) != nil {
		return nil
	}
	all := map[string]bool{}
	for key, its := range c.Env {
		var item struct{ Name string }
		if len(key) < 2 || json.Unmarshal([]byte(key[2:]), &item) != nil {
			continue // the list as a whole
		}
		_, value := its["f:value"]
		_, from := its["f:valueFrom"]
		all[item.Name] = value || from
	}
	return all
}

// nameKey is how managed fields call the item of a list that has this name.
func nameKey(name string) string {
	text, _ := json.Marshal(map[string]string{"name": name})
	return "k:" + string(text)
}
