package kubernetes

import (
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/platform"
)

// slice is what the cluster has written of a Service's endpoints: which pods are ready.
func slice(pods map[string]bool) *unstructured.Unstructured {
	s := object("discovery.k8s.io/v1", "EndpointSlice", "shop-x", map[string]string{"kubernetes.io/service-name": "shop"})
	var all []any
	for name, ready := range pods {
		all = append(all, map[string]any{"conditions": map[string]any{"ready": ready}, "targetRef": map[string]any{"kind": "Pod", "name": name}})
	}
	s.Object["endpoints"] = all
	return s
}

// Two pods have been ready for a minute; how far the cluster has told gateways is another thing.
func TestAServiceHasNoTrafficBeforeItsEndpointsAreKnown(t *testing.T) {
	for name, c := range map[string]struct {
		slices  map[string]bool
		now     int64 // its weight in the route
		refused bool
		unready string
	}{
		"none is written":               {nil, 0, true, "0 of 2 pods"},
		"only others are":               {map[string]bool{"former": true}, 0, true, "0 of 2 pods"},
		"they are written as not ready": {map[string]bool{"a": false, "b": false}, 0, true, "0 of 2 pods"},
		"one is ready":                  {map[string]bool{"a": true, "b": false}, 0, false, "1 of 2 pods"},
		"both are":                      {map[string]bool{"a": true, "b": true}, 0, false, ""},
		"it has traffic already":        {nil, 1, false, "0 of 2 pods"},
	} {
		route := object("gateway.networking.k8s.io/v1", "HTTPRoute", "shop", nil)
		refs := []any{map[string]any{"name": "shop", "weight": c.now}, map[string]any{"name": "shop-r-1", "weight": int64(1)}}
		_ = unstructured.SetNestedSlice(route.Object, []any{map[string]any{"backendRefs": refs}}, "spec", "rules")
		p := homeIn(t, route, slice(c.slices))
		w := &world{
			anchor: route, mark: &mark{Weights: platform.Weights{}}, homeRevision: platform.Revision{ID: "r-home"},
			home:        &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "shop", UID: "home"}},
			replicaSets: []*appsv1.ReplicaSet{{ObjectMeta: controlled("set", "home")}},
		}
		since := metav1.NewTime(time.Now().Add(-time.Minute))
		for _, pod := range []string{"a", "b"} {
			w.pods = append(w.pods, &corev1.Pod{ObjectMeta: controlled(pod, "set"), Status: corev1.PodStatus{
				Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: since}},
			}})
		}
		var err error
		if w.split, err = p.splitOf(w); err != nil {
			t.Fatal(err)
		}
		err = p.unpublished(t.Context(), w, map[string]int{"shop": 500_000, "shop-r-1": 500_000})
		if refused := fault.CodeOf(err) == fault.Unavailable && strings.Contains(err.Error(), "the Service shop has no endpoint yet"); refused != c.refused || err != nil && !refused {
			t.Errorf("%s: it gets traffic: %v", name, err)
		}
		if said, err := p.unreached(t.Context(), w); err != nil || !strings.HasPrefix(said, c.unready) || (said == "") != (c.unready == "") {
			t.Errorf("%s: of all the traffic it is said %q, %v", name, said, err)
		}
	}
}
