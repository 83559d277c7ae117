package kubernetes

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
)

func scalerWith(minimum int64, annotation string) *unstructured.Unstructured {
	hpa := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"minReplicas": minimum}}}
	if annotation != "" {
		hpa.SetAnnotations(map[string]string{minimumAnnotation: annotation})
	}
	return hpa
}

func TestAMinimumIsGivenBackOnlyWhileItIsWhatItWasRaisedTo(t *testing.T) {
	for name, c := range map[string]struct {
		minimum    int64
		annotation string
		from       int64
		still      bool
	}{
		"as it was raised":    {4, raised{from: 2, to: 4}.String(), 2, true},
		"somebody raised it":  {6, raised{from: 2, to: 4}.String(), 2, false},
		"somebody lowered it": {1, raised{from: 2, to: 4}.String(), 2, false},
		"from nothing":        {1, raised{from: 0, to: 1}.String(), 0, true},
		"as it was once kept": {4, "2", 2, true},
		"nobody can read it":  {4, "many", -1, false},
	} {
		hpa := scalerWith(c.minimum, c.annotation)
		r := raisedOf(hpa)
		if r == nil || r.from != c.from || r.still(hpa) != c.still {
			t.Errorf("%s: %+v", name, r)
		}
	}
	if r := raisedOf(scalerWith(1, "")); r != nil {
		t.Errorf("nobody has raised it: %+v", r)
	}
}

func TestACopyOfASelectorByExpressionsSelectsTheSideAlone(t *testing.T) {
	home := map[string]string{"app": "shop", "tier": "web"}
	s := standing{name: "shop-r1", home: "shop", revision: "r1", changed: map[string]string{"app": "shop-r1"}, pods: home}
	side := s.podLabels(home)
	budget := func(selector map[string]any) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": map[string]any{"name": "shop"},
			"spec": map[string]any{"selector": selector},
		}}
	}
	in := func(key, value string) map[string]any {
		return map[string]any{"key": key, "operator": "In", "values": []any{value}}
	}
	for name, c := range map[string]struct {
		selector map[string]any
		copied   bool
	}{
		"by labels":                {map[string]any{"matchLabels": map[string]any{"app": "shop"}}, true},
		"by an expression":         {map[string]any{"matchExpressions": []any{in("app", "shop")}}, true},
		"by both":                  {map[string]any{"matchLabels": map[string]any{"tier": "web"}, "matchExpressions": []any{in("app", "shop")}}, true},
		"by two expressions":       {map[string]any{"matchExpressions": []any{in("app", "shop"), in("tier", "web")}}, true},
		"the side's too as it is":  {map[string]any{"matchLabels": map[string]any{"tier": "web"}}, false},
		"another's by expressions": {map[string]any{"matchExpressions": []any{in("app", "cart")}}, false},
	} {
		copied := s.copyOf(budget(c.selector), []string{"spec", "selector"}, home, side)
		if (copied != nil) != c.copied {
			t.Errorf("%s: the copy is %v", name, copied)
		}
		if copied == nil {
			continue
		}
		by := selectorOf(t, copied)
		if !by.Matches(labels.Set(side)) || by.Matches(labels.Set(home)) || by.Matches(labels.Set{"app": "cart", "tier": "web"}) {
			t.Errorf("%s: it selects by %s", name, by)
		}
	}
}

// Helm's charts label a Service with its release, by which deploying tools know their own: the
// side's Service does not have that label, and is to be scraped all the same.
func TestACopyOfAMonitorScrapesTheSideAndNotTheHomeAgain(t *testing.T) {
	const name, instance, managedBy = "app.kubernetes.io/name", "app.kubernetes.io/instance", managedByLabel
	home := map[string]string{name: "shop", instance: "prod", managedBy: "Helm", "helm.sh/chart": "shop-1.2.3", "app": "web"}
	for changed, selectors := range map[string][]map[string]any{
		instance: {
			{"matchLabels": map[string]any{name: "shop", instance: "prod"}}, // as helm create writes it
			{"matchLabels": map[string]any{instance: "prod"}},
			{"matchExpressions": []any{map[string]any{"key": instance, "operator": "Exists"}}},
		},
		"app": {
			{"matchLabels": map[string]any{name: "shop", instance: "prod"}},
			{"matchLabels": map[string]any{instance: "prod", "app": "web"}},
			{"matchLabels": map[string]any{managedBy: "Helm"}},
			{"matchLabels": map[string]any{"app": "web"}, "matchExpressions": []any{map[string]any{"key": "helm.sh/chart", "operator": "Exists"}}},
		},
	} {
		s := standing{name: "shop-r1", home: "shop", revision: "r1", changed: map[string]string{changed: home[changed] + "-r1"}}
		side := s.objectLabels(home)
		another := standing{name: "shop-r2", home: "shop", revision: "r2", changed: map[string]string{changed: home[changed] + "-r2"}}.objectLabels(home)
		for _, selector := range selectors {
			monitor := &unstructured.Unstructured{Object: map[string]any{
				"apiVersion": "monitoring.coreos.com/v1", "kind": "ServiceMonitor", "metadata": map[string]any{"name": "shop"},
				"spec": map[string]any{"selector": selector},
			}}
			copied := s.copyOf(monitor, []string{"spec", "selector"}, home, side)
			if copied == nil {
				t.Errorf("where %s is changed, %v has no copy", changed, selector)
				continue
			}
			by := selectorOf(t, copied)
			if !by.Matches(labels.Set(side)) || by.Matches(labels.Set(home)) || by.Matches(labels.Set(another)) {
				t.Errorf("where %s is changed, the copy of %v selects by %s", changed, selector, by)
			}
		}
	}
}

func selectorOf(t *testing.T, o *unstructured.Unstructured) labels.Selector {
	t.Helper()
	raw, _, _ := unstructured.NestedMap(o.Object, "spec", "selector")
	var selector metav1.LabelSelector
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(raw, &selector); err != nil {
		t.Fatal(err)
	}
	by, err := metav1.LabelSelectorAsSelector(&selector)
	if err != nil {
		t.Fatal(err)
	}
	return by
}
