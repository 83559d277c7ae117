package kubernetes

import (
	"strings"
	"testing"
)

func TestAHomeWithoutPodsGetsNoTraffic(t *testing.T) {
	home, none := homeWith(t, "shop:v2", "", ""), int32(0)
	home.Spec.Replicas = &none
	p := &Platform{settings: Settings{Namespace: "shop", Deployment: "shop", Service: "shop", Controller: "flux"}}
	if said := p.unready(t.Context(), &world{home: home}); !strings.Contains(said, "scaled to no pods") {
		t.Errorf("of a home without pods is missing: %q", said)
	}
}
