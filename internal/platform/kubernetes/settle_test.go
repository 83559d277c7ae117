package kubernetes_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/platform"
	"github.com/fairwayhq/fairway/internal/process"
)

// What a team has beside its Deployment.
const beside = `
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: hello, namespace: {{.Namespace}}}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: hello}
  minReplicas: 1
  maxReplicas: 5
  metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 80}}}]
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: hello, namespace: {{.Namespace}}}
spec: {minAvailable: 1, selector: {matchLabels: {app: hello}}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: {{.Namespace}}}
spec: {podSelector: {matchLabels: {app: hello}}, ingress: [{ports: [{port: 8080}]}]}
`

type home struct {
	Metadata struct {
		Generation  int
		UID         string
		Annotations map[string]string
	}
	Spec struct {
		Replicas int
		Template struct {
			Spec struct{ Containers []struct{ Image string } }
		}
	}
	Status struct{ ReadyReplicas int }
}

type scaler struct {
	Metadata struct{ Annotations map[string]string }
	Spec     struct{ MinReplicas int }
}

func TestOnARealCluster(t *testing.T) {
	r := newRig(t)
	for name, test := range map[string]func(*testing.T, *place){
		"a revision goes from a side into the user's Deployment": fromASideIntoTheHome,
		"a home that a controller updates is waited for":         homeOfAController,
		"a home of a controller grows under its autoscaler":      scaledHomeOfAController,
		"a new account outlives its side":                        accountOfAController,
		"who else writes the weights is named":                   anotherWriter,
		"each revision has its own config":                       ownConfig,
		"each revision has its own Secrets":                      ownSecrets,
		"a home that Fairway has made keeps its size":            sizeOfAMadeHome,
		"a home that is refused keeps its config":                configOfARefusedHome,
		"an autoscaler is given back":                            scalerGivenBack,
		"a variable that is not named any more goes":             variableThatGoes,
		"a pod at home that is unready for a moment":             unreadyAtHome,
		"what manifests drop leaves a home that was created":     droppedByManifests(created),
		"what manifests drop leaves a home that was applied":     droppedByManifests(applied),
		"a side that somebody deletes is told as deleted":        deletedSide,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, r.newPlace(t))
		})
	}
}

// The whole way of a release on a Deployment that a team has made, and back again.
func fromASideIntoTheHome(t *testing.T, p *place) {
	p.apply(deployment + "---" + beside)
	b := &bench{place: p, Platform: p.open(t, p.clusters), lease: platform.Lease{Fence: 1, Holder: "w"}}

	adopted := b.until("the Deployment is adopted with two ready pods", func(s platform.State) bool {
		r, _ := s.Revision(s.Home)
		return r.Ready() == 2 && s.Weights[s.Home] == platform.Whole
	})
	old := adopted.Home
	var before home
	b.eventually("the Deployment says so too", func() error {
		b.get("/apis/apps/v1/namespaces/"+p.namespace+"/deployments/hello", &before)
		if n := before.Status.ReadyReplicas; n != 2 {
			return fmt.Errorf("it says %d", n)
		}
		return nil
	})

	v2 := platform.Revision{ID: "r-222222222222", Version: "v2", Artifact: platform.Artifact{Ref: "fairway.test/hello:v2"}, Settings: p.settings(false)}
	b.must(b.Place(t.Context(), b.lease, target, v2, platform.Capacity{Instances: 2}))
	b.until("the canary's pods are ready", func(s platform.State) bool {
		r, _ := s.Revision(v2.ID)
		return r.Ready() == 2
	})
	b.must(b.Route(t.Context(), b.lease, target, platform.Weights{old: 950_000, v2.ID: 50_000}))
	b.kinds("beside the home", []string{"HorizontalPodAutoscaler hello-r-222222222222", "NetworkPolicy web-r-222222222222", "PodDisruptionBudget hello-r-222222222222", "Service hello-r-222222222222"})
	var meanwhile home
	b.get("/apis/apps/v1/namespaces/"+p.namespace+"/deployments/hello", &meanwhile)
	if a, z := string(asJSON(t, before)), string(asJSON(t, meanwhile)); a != z {
		t.Errorf("the home was %s and is %s", a, z)
	}
	if s := b.scaler(); s.Spec.MinReplicas != 2 {
		t.Errorf("the home may be scaled down to %d while the canary has its traffic", s.Spec.MinReplicas)
	}
	if _, err := b.Settle(t.Context(), b.lease, target, v2.ID); fault.CodeOf(err) != fault.Conflict {
		t.Errorf("a revision with 5 %% is settled: %v", err)
	}

	b.settle(old, v2.ID)
	var after home
	b.get("/apis/apps/v1/namespaces/"+p.namespace+"/deployments/hello", &after)
	if after.Metadata.UID != before.Metadata.UID || after.Spec.Template.Spec.Containers[0].Image != "fairway.test/hello:v2" || after.Status.ReadyReplicas != 2 {
		t.Errorf("the home is %+v", after)
	}
	b.kinds("after it has settled", nil)
	if s := b.scaler(); s.Spec.MinReplicas != 1 || len(s.Metadata.Annotations) != 0 {
		t.Errorf("the autoscaler was not given back: %+v", s)
	}
	if refs := b.backendRefs(); refs != `[{"group":"","kind":"Service","name":"hello","port":80}]` && refs != `[{"group":"","kind":"Service","name":"hello","port":80,"weight":1}]` {
		t.Errorf("the route leads to %s", refs)
	}
	b.answers("v2")

	// Back again, by the same path: the older revision comes from what was observed.
	former, _ := adopted.Revision(old)
	b.must(b.Place(t.Context(), b.lease, target, former.Revision, platform.Capacity{Instances: 2}))
	b.until("the older revision is ready again", func(s platform.State) bool {
		r, _ := s.Revision(old)
		return r.Ready() == 2
	})
	b.settle(v2.ID, old)
	b.answers("v1")
	b.kinds("after the rollback", nil)
	if s := b.observe(); s.Home != old || len(s.Revisions) != 1 || s.Foreign != "" {
		t.Errorf("in the end: %+v", s)
	}
}

// Where there was no Deployment, the first release makes it; the next ones settle in it, also
// without manifests.
func sizeOfAMadeHome(t *testing.T, p *place) {
	b := &bench{place: p, Platform: p.open(t, p.clusters), lease: platform.Lease{Fence: 1, Holder: "w"}}
	last := ""
	for n, id := range []string{"r-111111111111", "r-222222222222", "r-333333333333"} {
		r, has := p.revision(id, map[string]string{"HELLO_VERSION": id}), "HELLO_VERSION="+id
		if n == 0 {
			r.Config.Env["FIRST"], has = "1", "FIRST=1 "+has
		}
		if n == 2 {
			r.Settings = p.settings(false)
		}
		b.must(b.Place(t.Context(), b.lease, target, r, platform.Capacity{Instances: 2}))
		b.until(id+" is ready", func(s platform.State) bool { state, _ := s.Revision(id); return state.Ready() == 2 })
		if n == 0 {
			b.must(b.Route(t.Context(), b.lease, target, platform.Weights{id: platform.Whole}))
		} else {
			b.settle(last, id)
		}
		last = id
		b.answers(id)
		var h home
		b.get("/apis/apps/v1/namespaces/"+p.namespace+"/deployments/hello", &h)
		if h.Spec.Replicas != 2 {
			t.Errorf("with %s the home has %d pods", id, h.Spec.Replicas)
		}
		if env := b.env("hello"); env != has {
			t.Errorf("with %s the home has the variables %s", id, env)
		}
	}
}

// Without manifests the pods of the home are taken, but not what the release before has set
// on them. What the team has is left alone.
func variableThatGoes(t *testing.T, p *place) {
	const own = "env: [{name: TEAM, value: own}, {name: SHARED, value: own}]\n        ports: ["
	p.apply(strings.Replace(deployment, "ports: [", own, 1))
	b := &bench{place: p, Platform: p.open(t, p.clusters), lease: platform.Lease{Fence: 1, Holder: "w"}}
	last := b.until("the home is ready", func(s platform.State) bool { r, _ := s.Revision(s.Home); return r.Ready() == 2 }).Home
	for _, step := range []struct {
		id          string
		env         map[string]string
		answer, has string
	}{
		{"r-111111111111", map[string]string{"HELLO_VERSION": "first", "SHARED": "release"}, "first", "HELLO_VERSION=first SHARED=release TEAM=own"},
		{"r-222222222222", map[string]string{"OTHER": "1"}, "v2", "OTHER=1 SHARED=release TEAM=own"},
		{"r-333333333333", nil, "v2", "SHARED=release TEAM=own"},
	} {
		r := platform.Revision{ID: step.id, Artifact: platform.Artifact{Ref: "fairway.test/hello:v2"}, Config: platform.Config{Env: step.env}, Settings: p.settings(false)}
		b.must(b.Place(t.Context(), b.lease, target, r, platform.Capacity{Instances: 1}))
		b.until(step.id+" is ready", func(s platform.State) bool { state, _ := s.Revision(step.id); return state.Ready() == 1 })
		if beside := b.env("hello-" + step.id); beside != step.has {
			t.Errorf("beside the home are the variables %s, not %s", beside, step.has)
		}
		b.settle(last, step.id)
		b.answers(step.answer)
		if home := b.env("hello"); home != step.has {
			t.Errorf("at home are the variables %s, not %s", home, step.has)
		}
		last = step.id
	}
}

// The minimum comes back though somebody has deleted the side, and stays as somebody else
// has set it.
func scalerGivenBack(t *testing.T, p *place) {
	p.apply(deployment + "---" + beside)
	b := &bench{place: p, Platform: p.open(t, p.clusters), lease: platform.Lease{Fence: 1, Holder: "w"}}
	old := b.until("the home is ready", func(s platform.State) bool { r, _ := s.Revision(s.Home); return r.Ready() == 2 }).Home
	v2 := platform.Revision{ID: "r-222222222222", Artifact: platform.Artifact{Ref: "fairway.test/hello:v2"}, Settings: p.settings(false)}
	split := func() {
		b.must(b.Place(t.Context(), b.lease, target, v2, platform.Capacity{Instances: 1}))
		b.until("the canary is ready", func(s platform.State) bool { r, _ := s.Revision(v2.ID); return r.Ready() == 1 })
		b.must(b.Route(t.Context(), b.lease, target, platform.Weights{old: 900_000, v2.ID: 100_000}))
		if s := b.scaler(); s.Spec.MinReplicas != 2 {
			t.Errorf("while the canary has traffic the minimum is %d", s.Spec.MinReplicas)
		}
	}
	takenBack := func(minimum int) {
		b.must(b.Route(t.Context(), b.lease, target, platform.Weights{old: platform.Whole}))
		b.must(b.Retire(t.Context(), b.lease, target, v2.ID))
		if s := b.scaler(); s.Spec.MinReplicas != minimum || len(s.Metadata.Annotations) > 0 {
			t.Errorf("the autoscaler is %+v, its minimum should be %d", s, minimum)
		}
	}
	split()
	b.must(b.API.Do(t.Context(), http.MethodDelete, "/apis/apps/v1/namespaces/"+p.namespace+"/deployments/hello-"+v2.ID, "", nil, nil))
	b.until("the side is gone", func(s platform.State) bool { _, there := s.Revision(v2.ID); return !there })
	takenBack(1)

	split()
	b.must(b.API.Do(t.Context(), http.MethodPatch, "/apis/autoscaling/v2/namespaces/"+p.namespace+"/horizontalpodautoscalers/hello",
		"application/merge-patch+json", []byte(`{"spec": {"minReplicas": 3}}`), nil))
	takenBack(3)
}

// env are the variables of a Deployment's pods, by name.
func (b *bench) env(deployment string) string {
	b.t.Helper()
	var d struct {
		Spec struct {
			Template struct {
				Spec struct {
					Containers []struct {
						Env []struct{ Name, Value string }
					}
				}
			}
		}
	}
	b.get("/apis/apps/v1/namespaces/"+b.namespace+"/deployments/"+deployment, &d)
	var all []string
	for _, v := range d.Spec.Template.Spec.Containers[0].Env {
		all = append(all, v.Name+"="+v.Value)
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

var target = platform.Target{Service: "hello", Environment: "test"}

// bench is one test's place to work, with verbs that must succeed.
type bench struct {
	*place
	platform.Platform
	lease platform.Lease
	// refs are the route's backendRefs before anything was released.
	refs string
}

func (b *bench) Settle(ctx context.Context, lease platform.Lease, t platform.Target, revision string) (string, error) {
	return b.Platform.(platform.Settler).Settle(ctx, lease, t, revision)
}

// settle gives a revision all the traffic, retires the other, and settles it.
func (b *bench) settle(other, revision string) {
	b.t.Helper()
	b.must(b.Route(b.t.Context(), b.lease, target, platform.Weights{revision: platform.Whole}))
	b.must(b.Retire(b.t.Context(), b.lease, target, other))
	var told []string
	b.until(revision+" has settled", func(s platform.State) bool {
		if s.Weights[revision] != platform.Whole {
			b.t.Fatalf("while %s settles the weights are %v", revision, s.Weights)
		}
		if _, there := s.Revision(other); there {
			b.t.Fatalf("%s was retired and is there: %+v", other, s)
		}
		awaits, err := b.Settle(b.t.Context(), b.lease, target, revision)
		b.must(err)
		if !slices.Contains(told, awaits) {
			told = append(told, awaits)
		}
		return awaits == ""
	})
	b.t.Logf("settling %s: %s", revision, strings.Join(told, " → "))
}

func (b *bench) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) observe() platform.State {
	b.t.Helper()
	s, err := b.Observe(b.t.Context(), target)
	b.must(err)
	return s
}

func (b *bench) until(what string, so func(platform.State) bool) platform.State {
	b.t.Helper()
	deadline := time.Now().Add(90 * time.Second)
	for {
		s := b.observe()
		if so(s) {
			return s
		}
		if time.Now().After(deadline) || process.Wait(b.t.Context(), 100*time.Millisecond) != nil {
			b.t.Fatalf("it does not come to it that %s: %s", what, asJSON(b.t, s))
		}
	}
}

func (b *bench) get(path string, into any) {
	b.t.Helper()
	b.must(b.API.Get(b.t.Context(), path, into))
}

func (b *bench) scaler() (s scaler) {
	b.t.Helper()
	b.get("/apis/autoscaling/v2/namespaces/"+b.namespace+"/horizontalpodautoscalers/hello", &s)
	return s
}

// kinds expects just these objects of Fairway's in the namespace.
func (b *bench) kinds(when string, want []string) {
	b.t.Helper()
	var got []string
	read := func() []string {
		got = nil
		for kind, path := range map[string]string{
			"Service": "/api/v1/namespaces/%s/services", "HorizontalPodAutoscaler": "/apis/autoscaling/v2/namespaces/%s/horizontalpodautoscalers",
			"PodDisruptionBudget": "/apis/policy/v1/namespaces/%s/poddisruptionbudgets", "NetworkPolicy": "/apis/networking.k8s.io/v1/namespaces/%s/networkpolicies",
		} {
			var list struct {
				Items []struct{ Metadata struct{ Name string } }
			}
			b.get(strings.Replace(path, "%s", b.namespace, 1)+"?labelSelector=fairway.dev/home%3Dhello", &list)
			for _, i := range list.Items {
				got = append(got, kind+" "+i.Metadata.Name)
			}
		}
		slices.Sort(got)
		return got
	}
	for late := time.Now().Add(20 * time.Second); !slices.Equal(read(), want) && time.Now().Before(late); { // the garbage collector takes its time
		_ = process.Wait(b.t.Context(), 100*time.Millisecond)
	}
	if !slices.Equal(got, want) {
		b.t.Errorf("%s there are %v, not %v", when, got, want)
	}
}

func (p *place) backendRefs() string {
	p.t.Helper()
	var route struct {
		Spec struct {
			Rules []struct{ BackendRefs json.RawMessage }
		}
	}
	if err := p.API.Get(p.t.Context(), "/apis/gateway.networking.k8s.io/v1/namespaces/"+p.namespace+"/httproutes/hello", &route); err != nil {
		p.t.Fatal(err)
	}
	return string(route.Spec.Rules[0].BackendRefs)
}

// answers expects that a version answers all requests, once the gateway has heard.
func (b *bench) answers(version string) {
	b.t.Helper()
	for late := time.Now().Add(10 * time.Second); time.Now().Before(late); {
		if got, err := b.ask("/"); err == nil && got == version {
			break
		}
	}
	for range 20 {
		if got, err := b.ask("/"); err != nil || got != version {
			b.t.Fatalf("%q answers, not %s: %v", got, version, err)
		}
	}
}

func asJSON(t *testing.T, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
