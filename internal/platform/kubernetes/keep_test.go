package kubernetes

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/fairwayhq/fairway/internal/platform"
)

func deploymentOf(name string, pods int32) *appsv1.Deployment {
	d := &appsv1.Deployment{}
	d.Name, d.Spec.Replicas = name, &pods
	return d
}

func TestASideGrowsWithTheHomeOnlyWhileItHasEverything(t *testing.T) {
	p := &Platform{settings: Settings{Deployment: "shop", Service: "shop"}}
	for name, c := range map[string]struct {
		home, side int32
		beside     int // pods of the home when the first side came
		open       int
		want       int
	}{
		"the home has grown":               {home: 6, side: 4, beside: 4, open: everyPod, want: 6},
		"it is as large already":           {home: 6, side: 6, beside: 4, open: everyPod},
		"the home has shrunk":              {home: 3, side: 4, beside: 4, open: everyPod},
		"the home has always been larger":  {home: 4, side: 2, beside: 4, open: everyPod},
		"it has only a part":               {home: 6, side: 4, beside: 4, open: 2},
		"it is not known how large it was": {home: 6, side: 4, open: everyPod},
	} {
		s := side{deploymentOf("shop-r1", c.side), platform.Revision{ID: "r1"}}
		w := &world{home: deploymentOf("shop", c.home), sides: []side{s}, mark: &mark{Beside: c.beside, Open: map[string]int{"shop-r1": c.open}}}
		if _, got := p.outgrown(w); got != c.want {
			t.Errorf("%s: it is to have %d pods, not %d", name, got, c.want)
		}
	}
	if _, got := p.outgrown(&world{}); got != 0 {
		t.Errorf("without a home it is to have %d pods", got)
	}
}
