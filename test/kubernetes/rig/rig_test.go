//go:build linux

package rig_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/platform"
	"github.com/fairwayhq/fairway/test/cluster"
	"github.com/fairwayhq/fairway/test/kubernetes/rig"
)

// Everything around Fairway, without it: a person makes a canary by hand and moves the
// weights. If requests failed here, they would be nobody's fault who is measured with this.
func TestByHandNoRequestFailsAndTheHarmOfABadVersionIsCounted(t *testing.T) {
	cluster.Need(t, cluster.Options{Node: true, Gateway: true})
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	r, err := rig.Up(ctx, rig.Options{Versions: []rig.Version{rig.Calm1, rig.Calm2, rig.Fails100, rig.Late}, Say: t.Logf})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if t.Failed() {
			t.Log(r.Cluster.Logs(20))
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}()
	team, err := r.Open(ctx, rig.TeamOptions{Name: "shop", First: rig.Calm1, Autoscaled: true})
	if err != nil {
		t.Fatal(err)
	}
	hand := hand{t, ctx, r, team}
	began := time.Now()
	hand.canary(rig.Calm2)
	for _, weight := range []int{1, 10, 50, 95, 100, 0} {
		hand.weigh(rig.Calm2, weight)
		hand.wait(2 * time.Second)
	}
	good := team.Traffic.Since(began)
	if len(good) < 1000 || rig.Count(good, rig.Answer.Failed) > 0 || rig.Count(good, of(rig.Calm2)) < 300 {
		t.Errorf("of %d requests %d failed and %d went to the canary", len(good), rig.Count(good, rig.Answer.Failed), rig.Count(good, of(rig.Calm2)))
	}

	for _, bad := range []rig.Version{rig.Fails100, rig.Late} {
		began = time.Now()
		hand.canary(bad)
		hand.weigh(bad, 20)
		hand.wait(3 * time.Second)
		back := time.Now()
		hand.weigh(bad, 0)
		hand.wait(3 * time.Second)
		answers := team.Traffic.Since(began)
		served := rig.Count(answers, func(a rig.Answer) bool { return a.Fault })
		if served < 20 || served > 200 || served != rig.Count(answers, of(bad)) {
			t.Errorf("%s: %d answers are marked of %d that it gave, in 3 s with 20 of 100", bad.Name, served, rig.Count(answers, of(bad)))
		}
		if begin := team.Route.When(began, func(share float64) bool { return share == 0.2 }); begin.IsZero() || begin.After(back) {
			t.Errorf("%s had its share at %s", bad.Name, begin)
		}
		if late := rig.Count(answers, func(a rig.Answer) bool { return a.Due.After(back.Add(2*time.Second)) && a.Fault }); late > 0 {
			t.Errorf("%s served %d answers two seconds after it was taken back", bad.Name, late)
		}
	}
	for _, wrong := range team.Route.TakeWrong() {
		t.Error(wrong)
	}

	hand.weighNobody()
	hand.wait(time.Second)
	if wrong := team.Route.TakeWrong(); len(wrong) == 0 {
		t.Error("weight on a Service without pods was not noticed")
	}
}

func of(v rig.Version) func(rig.Answer) bool {
	return func(a rig.Answer) bool { return a.Version == v.Name }
}

// hand is a person with kubectl.
type hand struct {
	t    *testing.T
	ctx  context.Context
	rig  *rig.Rig
	team *rig.Team
}

func (h hand) apply(manifests string) {
	h.t.Helper()
	if err := h.rig.Cluster.API.Apply(h.ctx, manifests); err != nil {
		h.t.Fatal(err)
	}
}

func (h hand) canary(v rig.Version) {
	h.t.Helper()
	h.apply(fmt.Sprintf(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: %[3]s, namespace: %[1]s}
spec:
  replicas: 1
  selector: {matchLabels: {app: %[3]s}}
  template:
    metadata: {labels: {app: %[3]s}}
    spec:
      containers:
      - name: shop
        image: %[2]s
        env: [{name: HOST, value: 0.0.0.0}]
        readinessProbe: {httpGet: {path: /healthz, port: 8080}, periodSeconds: 1}
        lifecycle: {preStop: {sleep: {seconds: 3}}}
---
apiVersion: v1
kind: Service
metadata: {name: %[3]s, namespace: %[1]s}
spec: {selector: {app: %[3]s}, ports: [{name: http, port: 80, targetPort: 8080}]}
`, h.team.Name, h.rig.Cluster.Reference(v.Image()), v.Name))
	for pods, err := 0, error(nil); pods != 1; pods, err = h.team.Pods(h.ctx, v.Name) {
		if err != nil {
			h.t.Fatal(err)
		}
		h.wait(100 * time.Millisecond)
	}
	h.wait(2 * time.Second) // until the gateway has heard of the pod too
}

// percent is what one percent is in weights that sum to what Fairway's do.
const percent = platform.Whole / 100

func (h hand) weigh(v rig.Version, canary int) {
	h.t.Helper()
	h.route(fmt.Sprintf("[{name: shop, port: 80, weight: %d}, {name: %s, port: 80, weight: %d}]", (100-canary)*percent, v.Name, canary*percent))
}

func (h hand) weighNobody() {
	h.t.Helper()
	h.apply(fmt.Sprintf(`
apiVersion: v1
kind: Service
metadata: {name: nobody, namespace: %s}
spec: {selector: {app: nobody}, ports: [{name: http, port: 80}]}
`, h.team.Name))
	h.route("[{name: shop, port: 80, weight: 500000}, {name: nobody, port: 80, weight: 500000}]")
}

func (h hand) route(backends string) {
	h.t.Helper()
	h.apply(fmt.Sprintf(`
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: shop, namespace: %[1]s}
spec:
  parentRefs: [{name: fairway, namespace: default}]
  hostnames: ["%[1]s.test"]
  rules:
  - backendRefs: %[2]s
`, h.team.Name, backends))
}

// wait lets users come for a while: it is their requests that are looked at.
func (h hand) wait(d time.Duration) {
	h.t.Helper()
	select {
	case <-time.After(d):
	case <-h.ctx.Done():
		h.t.Fatal(h.ctx.Err())
	}
}
