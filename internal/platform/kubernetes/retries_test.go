package kubernetes_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/platform"
	"github.com/fairwayhq/fairway/internal/platform/kubernetes"
	"github.com/fairwayhq/fairway/internal/process"
)

// Whatever the API server answers for a while, a release comes to the end that it would have
// come to anyway, by the same changes in the same order and no other.
func TestAnAPIServerThatFailsAtTimesLosesNothingAndDoublesNothing(t *testing.T) {
	r := newRig(t)
	calm, flakily := &course{fails: nothing}, &course{fails: everything}
	t.Run("a course", func(t *testing.T) {
		for name, c := range map[string]*course{"without failures": calm, "with failures": flakily} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				c.run(t, r.newPlace(t))
			})
		}
		t.Run("watches that expire again and again", func(t *testing.T) {
			t.Parallel()
			expiredWatches(t, r.newPlace(t))
		})
	})
	if !slices.Equal(calm.effects, flakily.effects) {
		t.Errorf("with failures this was changed:\n%s\nand without them:\n%s", strings.Join(flakily.effects, "\n"), strings.Join(calm.effects, "\n"))
	}
	if calm.end != flakily.end {
		t.Errorf("with failures it ends with\n%s\nand without them with\n%s", flakily.end, calm.end)
	}
	if calm.unavailable != 0 {
		t.Errorf("without failures %d verbs failed", calm.unavailable)
	}
	for _, way := range []string{busy, broken, away, lost, expired, gone, cut} {
		if flakily.faults[way] < 3 {
			t.Errorf("%s came %d times", way, flakily.faults[way])
		}
	}
	t.Logf("%d verbs had to be tried again: %v", flakily.unavailable, flakily.faults)
}

// course is a release from the first look to its end, and what it has left behind.
type course struct {
	fails       failures
	effects     []string
	end         string
	unavailable int
	faults      map[string]int
}

func (c *course) run(t *testing.T, p *place) {
	p.apply(deployment + "---" + beside)
	proxy, config := newFlaky(t, p.Kubeconfig, c.fails)
	clusters := kubernetes.New(kubernetes.Config{Kubeconfig: config, UserAgent: "fairway-test"})
	t.Cleanup(clusters.Close)
	again := &again{Platform: p.open(t, clusters)}
	b := &bench{place: p, Platform: again, lease: platform.Lease{Fence: 1, Holder: "w"}}
	old := b.until("the Deployment is adopted with two ready pods", func(s platform.State) bool {
		r, _ := s.Revision(s.Home)
		return r.Ready() == 2
	}).Home
	bad := p.revision("r-crashes00000", map[string]string{"HELLO_EXIT": "no disk"})
	b.must(b.Place(t.Context(), b.lease, target, bad, platform.Capacity{Instances: 1}))
	b.until("its end is told", func(s platform.State) bool { return strings.Contains(failure(s, bad.ID), "no disk") })
	b.must(b.Retire(t.Context(), b.lease, target, bad.ID))

	v2 := platform.Revision{ID: "r-222222222222", Version: "v2", Artifact: platform.Artifact{Ref: "fairway.test/hello:v2"}, Settings: p.settings(false)}
	b.must(b.Place(t.Context(), b.lease, target, v2, platform.Capacity{Instances: 2}))
	b.until("the canary's pods are ready", func(s platform.State) bool {
		r, _ := s.Revision(v2.ID)
		return r.Ready() == 2
	})
	for _, ppm := range []int{50_000, 200_000, 500_000} {
		want := platform.Weights{old: platform.Whole - ppm, v2.ID: ppm}
		b.must(b.Route(t.Context(), b.lease, target, want))
		if s := b.observe(); !maps.Equal(s.Weights, want) || s.Foreign != "" {
			t.Errorf("the weights are %v, not %v: %s", s.Weights, want, s.Foreign)
		}
		if refs := p.weights(); !maps.Equal(refs, map[string]int{"hello": want[old], "hello-" + v2.ID: ppm}) {
			t.Errorf("the route has %v, not %v", refs, want)
		}
	}
	b.settle(old, v2.ID)
	b.answers("v2")
	b.kinds("in the end", nil)
	s := b.observe()
	var h home
	b.get("/apis/apps/v1/namespaces/"+p.namespace+"/deployments/hello", &h)
	c.end = string(asJSON(t, map[string]any{
		"home": s.Home, "weights": s.Weights, "revisions": len(s.Revisions), "foreign": s.Foreign, "route": p.backendRefs(),
		"generation": h.Metadata.Generation, "spec": h.Spec, "fence": h.Metadata.Annotations["fairway.dev/fence"], "minimum": b.scaler(),
	}))
	clusters.Close()
	c.unavailable, c.faults = again.times, proxy.faults
	for _, e := range proxy.effects {
		c.effects = append(c.effects, strings.ReplaceAll(e, p.namespace, "NAMESPACE"))
	}
}

// While the informers wait to list again, which is longer each time, what is observed is
// still what there is.
func expiredWatches(t *testing.T, p *place) {
	p.apply(deployment)
	proxy, config := newFlaky(t, p.Kubeconfig, everyWatch)
	clusters := kubernetes.New(kubernetes.Config{Kubeconfig: config, UserAgent: "fairway-test"})
	t.Cleanup(clusters.Close)
	b := &bench{place: p, Platform: p.open(t, clusters)}
	b.observe()
	for n, late := 0, time.Now().Add(30*time.Second); time.Now().Before(late); n++ {
		size := 1 + n%2
		p.apply(strings.ReplaceAll(deployment, "replicas: 2", fmt.Sprintf("replicas: %d", size)))
		began := time.Now()
		b.until(fmt.Sprintf("%d pods are wanted", size), func(s platform.State) bool {
			r, _ := s.Revision(s.Home)
			return r.Capacity.Instances == size
		})
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("a change was seen after %s", took)
		}
		_ = process.Wait(t.Context(), time.Second)
	}
	clusters.Close()
	if proxy.faults[expired] < 8 { // of four kinds
		t.Errorf("%d watches expired", proxy.faults[expired])
	}
}

// weights are those of the route, by Service.
func (p *place) weights() map[string]int {
	p.t.Helper()
	var refs []struct {
		Name   string
		Weight int
	}
	if err := json.Unmarshal([]byte(p.backendRefs()), &refs); err != nil {
		p.t.Fatal(err)
	}
	all := map[string]int{}
	for _, r := range refs {
		all[r.Name] = r.Weight
	}
	return all
}

// again is a platform as stages use it: what is unavailable is tried again, and nothing else.
type again struct {
	*kubernetes.Platform
	times int
}

func (a *again) try(ctx context.Context, verb func() error) error {
	for {
		err := verb()
		if fault.CodeOf(err) != fault.Unavailable {
			return err
		}
		a.times++
		if err := process.Wait(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
}

func (a *again) Observe(ctx context.Context, t platform.Target) (s platform.State, err error) {
	err = a.try(ctx, func() error { s, err = a.Platform.Observe(ctx, t); return err })
	return s, err
}

func (a *again) Place(ctx context.Context, l platform.Lease, t platform.Target, r platform.Revision, c platform.Capacity) error {
	return a.try(ctx, func() error { return a.Platform.Place(ctx, l, t, r, c) })
}

func (a *again) Route(ctx context.Context, l platform.Lease, t platform.Target, w platform.Weights) error {
	return a.try(ctx, func() error { return a.Platform.Route(ctx, l, t, w) })
}

func (a *again) Retire(ctx context.Context, l platform.Lease, t platform.Target, revision string) error {
	return a.try(ctx, func() error { return a.Platform.Retire(ctx, l, t, revision) })
}

func (a *again) Settle(ctx context.Context, l platform.Lease, t platform.Target, revision string) (awaits string, err error) {
	err = a.try(ctx, func() error { awaits, err = a.Platform.Settle(ctx, l, t, revision); return err })
	return awaits, err
}
