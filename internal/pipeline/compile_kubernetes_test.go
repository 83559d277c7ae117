package pipeline

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestKubernetesNamesFollowFromTheService(t *testing.T) {
	for name, c := range map[string]struct {
		given KubernetesDefinition
		want  kubernetesPlan
	}{
		"nothing said": {
			KubernetesDefinition{},
			kubernetesPlan{Namespace: "default", Deployment: "shop", Service: "shop", Route: routePlan{"HTTPRoute", "shop"}},
		},
		"another Deployment": {
			KubernetesDefinition{Namespace: "web", Deployment: "shop-web"},
			kubernetesPlan{Namespace: "web", Deployment: "shop-web", Service: "shop-web", Route: routePlan{"HTTPRoute", "shop-web"}},
		},
		"a route of another kind": {
			KubernetesDefinition{Service: "front", Route: RouteDefinition{Kind: "GRPCRoute"}},
			kubernetesPlan{Namespace: "default", Deployment: "shop", Service: "front", Route: routePlan{"GRPCRoute", "front"}},
		},
		"no route": {
			KubernetesDefinition{Split: "pods"},
			kubernetesPlan{Namespace: "default", Deployment: "shop", Service: "shop"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var got kubernetesPlan
			if err := json.Unmarshal(kubernetesSettings("shop", c.given), &got); err != nil {
				t.Fatal(err)
			}
			if got.ReadyTimeout.String() != "2m" || got.Drain.String() != "5s" {
				t.Errorf("the defaults are %s and %s", got.ReadyTimeout, got.Drain)
			}
			got.ReadyTimeout, got.Drain = 0, 0
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestAnEnvironmentsKubernetesIsLaidOverTheCommonOne(t *testing.T) {
	got := mergeKubernetes(
		&KubernetesDefinition{Namespace: "shop", Context: "all", Instances: 2},
		&KubernetesDefinition{Context: "production", Instances: 6})
	if d := cmp.Diff(KubernetesDefinition{Namespace: "shop", Context: "production", Instances: 6}, got); d != "" {
		t.Error(d)
	}
}
