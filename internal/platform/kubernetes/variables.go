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

// base is the home as a release without manifests builds on it. Variables that the release
// before has set for itself, and the new one does not name, are gone from it.
type base struct {
	home *appsv1.Deployment
	// kept are variables that the home would lose if the release did not write them again:
	// Fairway was the last to give them a value, and they are not gone.
	kept []string
}

// baseOf reads who has set the home's variables, where Fairway has written the home before.
func (p *Platform) baseOf(ctx context.Context, home *appsv1.Deployment, r platform.Revision) (base, error) {
	if home == nil || home.Annotations[placedAnnotation] == "" {
		return base{home: home}, nil
	}
	if set, err := ParseSettings(r.Settings); err != nil || len(set.Objects) > 0 {
		return base{home: home}, err
	}
	former, err := unpack(home)
	if err != nil {
		return base{}, err
	}
	list, err := p.client(deployments).List(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + home.Name})
	if err != nil {
		return base{}, faultOf(err, "read Deployment "+home.Name)
	}
	if len(list.Items) == 0 || list.Items[0].GetGeneration() != home.Generation {
		return base{}, errStale
	}
	own := home.DeepCopy()
	c, err := chosen(own.Spec.Template.Spec, p.settings.Container, r.Artifact)
	if err != nil {
		return base{}, err
	}
	managed := managedVariables(list.Items[0].GetManagedFields(), c.Name)
	gone := managed.left(former.Config.Env, r.Config.Env)
	c.Env = slices.DeleteFunc(c.Env, func(v corev1.EnvVar) bool { return slices.Contains(gone, v.Name) })
	b := base{home: own}
	for _, v := range c.Env {
		if _, named := r.Config.Env[v.Name]; !named && managed.valued[v.Name] {
			b.kept = append(b.kept, v.Name)
		}
	}
	return b, nil
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
			switch ours := e.Manager == fieldManager && e.Operation == metav1.ManagedFieldsOperationApply; {
			case ours:
				v.valued[name] = valued
			default:
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
