package kubernetes_test

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/platform"
	"github.com/fairwayhq/fairway/internal/platform/kubernetes"
	"github.com/fairwayhq/fairway/internal/process"
)

// fleet is a Deployment of four pods behind a Service, and a canary beside it.
type fleet struct {
	*bench
	old    string
	former platform.Revision
	canary platform.Revision
}

// newFleet makes it, with other texts in its manifest where pairs of old and new are given.
func newFleet(t *testing.T, r *rig, other ...string) *fleet {
	p := r.newPlaceByPods(t)
	p.apply(strings.NewReplacer(append(other, "replicas: 2", "replicas: 4")...).Replace(deployment) + "---" + beside)
	f := &fleet{bench: &bench{place: p, Platform: p.open(t, p.clusters), lease: platform.Lease{Fence: 1, Holder: "w"}}}
	adopted := f.until("the Deployment is adopted with four ready pods", func(s platform.State) bool {
		r, _ := s.Revision(s.Home)
		return r.Ready() == 4 && s.Weights[s.Home] == platform.Whole
	})
	former, _ := adopted.Revision(adopted.Home)
	f.old, f.former = adopted.Home, former.Revision
	f.canary = platform.Revision{ID: "r-222222222222", Version: "v2", Artifact: platform.Artifact{Ref: "fairway.test/hello:v2"}, Settings: p.settings(false)}
	return f
}

// stand places a revision and waits until its pods are ready.
func (f *fleet) stand(r platform.Revision, pods int) {
	f.t.Helper()
	f.must(f.Place(f.t.Context(), f.lease, target, r, platform.Capacity{Instances: pods}))
	f.until(fmt.Sprintf("%d pods of %s are ready", pods, r.ID), func(s platform.State) bool {
		state, _ := s.Revision(r.ID)
		return state.Ready() == pods
	})
}

func (f *fleet) give(w platform.Weights) {
	f.t.Helper()
	f.must(f.Route(f.t.Context(), f.lease, target, w))
}

// endpoints is how many ready addresses the Service has, of pods of a side and of others.
func (f *fleet) endpoints() (sides, others int) {
	f.t.Helper()
	var slices struct {
		Items []struct {
			Endpoints []struct {
				Conditions struct{ Ready bool }
				TargetRef  struct{ Name string }
			}
		}
	}
	f.get("/apis/discovery.k8s.io/v1/namespaces/"+f.namespace+"/endpointslices?labelSelector=kubernetes.io/service-name%3Dhello", &slices)
	for _, slice := range slices.Items {
		for _, e := range slice.Endpoints {
			switch {
			case !e.Conditions.Ready:
			case strings.HasPrefix(e.TargetRef.Name, "hello-r-"):
				sides++
			default:
				others++
			}
		}
	}
	return sides, others
}

// leads waits until the Service leads to so many pods of a side and of the home.
func (f *fleet) leads(sides, others int) {
	f.t.Helper()
	f.until(fmt.Sprintf("the Service leads to %d pods of a side and %d of the home", sides, others), func(platform.State) bool {
		a, b := f.endpoints()
		return a == sides && b == others
	})
}

// share asks often and returns the part of the answers that came from a version.
func (f *fleet) share(version string) float64 {
	f.t.Helper()
	const asked = 600
	got := 0
	for range asked {
		answer, err := f.ask("/")
		f.must(err)
		if answer == version {
			got++
		}
	}
	return float64(got) / asked
}

func TestSplitByPods(t *testing.T) {
	r := newRig(t)
	t.Run("two sides have it without the home", func(t *testing.T) {
		twoSides(t, newFleet(t, r, "{app: hello}", "{app: hello, tier: web}"))
	})
	for name, test := range map[string]func(*testing.T, *fleet){
		"connections go where the weights say":                    splitsByPods,
		"a revision goes home and back and no request fails":      goesThereAndBack,
		"pods that come later have their share":                   keepsPods,
		"who changes the Service is named":                        namesWhoChangesIt,
		"a Service that leads to others' pods as well is refused": refusesOthers,
		"a worker that may not open pods hears of it before":      missesARight,
		"a side that has everything grows with the home":          growsWithTheHome,
		"a side that somebody deletes is told as deleted":         deletedPods,
	} {
		t.Run(name, func(t *testing.T) { test(t, newFleet(t, r)) })
	}
}

func splitsByPods(t *testing.T, f *fleet) {
	var before home
	f.get("/apis/apps/v1/namespaces/"+f.namespace+"/deployments/hello", &before)
	possible, err := f.Platform.(platform.Weigher).CanaryWeights(t.Context(), target, platform.Capacity{Instances: 4})
	f.must(err)
	if !slices.Equal(possible, []int{200_000, 333_333, 428_571, 500_000}) {
		t.Fatalf("beside four pods these are possible: %v", possible)
	}
	f.stand(f.canary, 4)
	f.leads(0, 4)
	for n, ppm := range possible {
		f.give(platform.Weights{f.old: platform.Whole - ppm, f.canary.ID: ppm})
		f.leads(n+1, 4)
		want := float64(ppm) / platform.Whole
		if got := f.share("v2"); math.Abs(got-want) > 0.09 { // over four standard deviations
			t.Errorf("%.3f of the requests go to the canary, not %.3f", got, want)
		}
	}
	err = f.Route(t.Context(), f.lease, target, platform.Weights{f.old: 50_000, f.canary.ID: 950_000})
	if text := fault.HintOf(err); fault.CodeOf(err) != fault.Conflict || !strings.Contains(text, "20 %, 33.3 %, 42.9 %, 50 % and everything") {
		t.Errorf("95 %% is refused with %v (%s)", err, text)
	}
	f.give(platform.Weights{f.old: platform.Whole})
	f.leads(0, 4)
	var meanwhile home
	f.get("/apis/apps/v1/namespaces/"+f.namespace+"/deployments/hello", &meanwhile)
	before.Status, meanwhile.Status = home{}.Status, home{}.Status
	if a, z := string(asJSON(t, before)), string(asJSON(t, meanwhile)); a != z {
		t.Errorf("the home was %s and is %s", a, z)
	}
}

// The whole way into the Deployment and back, while users ask without a pause.
func goesThereAndBack(t *testing.T, f *fleet) {
	asking := f.keepAsking()
	f.stand(f.canary, 4)
	f.kinds("beside the home", []string{"NetworkPolicy web-r-222222222222", "PodDisruptionBudget hello-r-222222222222"})
	f.give(platform.Weights{f.old: 500_000, f.canary.ID: 500_000})
	f.leads(4, 4)
	f.settle(f.old, f.canary.ID)
	f.leads(0, 4)
	f.answers("v2")
	f.kinds("after it has settled", nil)
	if got := f.selector(); got != `{"app":"hello"}` {
		t.Errorf("the Service selects %s", got)
	}

	f.stand(f.former, 4)
	f.settle(f.canary.ID, f.old)
	f.leads(0, 4)
	f.answers("v1")
	if s := f.observe(); s.Home != f.old || len(s.Revisions) != 1 || s.Foreign != "" {
		t.Errorf("in the end: %+v", s)
	}
	if asked, failed := asking(); failed != nil || asked < 1000 {
		t.Errorf("of %d requests one failed: %v", asked, failed)
	}
}

func (f *fleet) selector() string {
	f.t.Helper()
	var service struct {
		Spec struct{ Selector map[string]string }
	}
	f.get("/api/v1/namespaces/"+f.namespace+"/services/hello", &service)
	return string(asJSON(f.t, service.Spec.Selector))
}

// keepAsking asks until the test calls what it returns: how often, and what failed first.
func (f *fleet) keepAsking() func() (asked int, failed error) {
	var group sync.WaitGroup
	ctx, stop := context.WithCancel(f.t.Context())
	asked, failed := 0, error(nil)
	group.Go(func() {
		for ctx.Err() == nil {
			_, err := f.ask("/")
			if asked++; err != nil && failed == nil {
				failed = fmt.Errorf("number %d at %s: %w", asked, time.Now().Format(time.TimeOnly), err)
			}
		}
	})
	end := func() (int, error) { stop(); group.Wait(); return asked, failed }
	f.t.Cleanup(func() { _, _ = end() })
	return end
}

func keepsPods(t *testing.T, f *fleet) {
	f.stand(f.canary, 2)
	f.give(platform.Weights{f.old: 666_667, f.canary.ID: 333_333})
	f.leads(2, 4)

	// No verb is called: who keeps the pods hears of it.
	f.deletePods(f.canary.ID)
	f.until("other pods are ready", func(s platform.State) bool {
		state, _ := s.Revision(f.canary.ID)
		return state.Ready() == 2 && s.Weights[f.canary.ID] == 333_333
	})
	f.leads(2, 4)
	f.label(f.names(f.canary.ID)[0], "app", "mine")
	f.leads(2, 4)

	// With no worker at all: those of a revision that has everything have it still.
	f.give(platform.Weights{f.canary.ID: platform.Whole})
	f.leads(2, 0)
	f.clusters.Close()
	f.deletePods(f.canary.ID)
	f.clusters = f.newClusters(t)
	f.eventually("the Service leads to the new pods", func() bool { sides, others := f.endpoints(); return sides == 2 && others == 0 })

	// While one has a part, new ones wait for the next worker, and the home bears it all.
	f.Platform = f.open(t, f.clusters)
	f.until("the new pods are ready", func(s platform.State) bool {
		state, _ := s.Revision(f.canary.ID)
		return state.Ready() == 2
	})
	f.give(platform.Weights{f.old: 666_667, f.canary.ID: 333_333})
	f.leads(2, 4)
	f.clusters.Close()
	f.deletePods(f.canary.ID)
	f.eventually("the Service leads to the home alone", func() bool { sides, others := f.endpoints(); return sides == 0 && others == 4 })
	f.clusters = f.newClusters(t)
	f.Platform = f.open(t, f.clusters)
	f.leads(2, 4)
}

// The home's autoscaler alone is at work, and asks for what the whole traffic needs.
func growsWithTheHome(t *testing.T, f *fleet) {
	f.stand(f.canary, 2)
	f.give(platform.Weights{f.canary.ID: platform.Whole})
	f.leads(2, 0)
	f.must(f.API.Do(t.Context(), http.MethodPatch, "/apis/apps/v1/namespaces/"+f.namespace+"/deployments/hello/scale", "application/merge-patch+json", []byte(`{"spec":{"replicas":5}}`), nil))
	f.leads(5, 0)
}

// twoSides lets a third revision come while the second has everything, and the Service
// therefore selects what is not its own to select.
func twoSides(t *testing.T, f *fleet) {
	f.must(f.API.Do(t.Context(), http.MethodPatch, "/api/v1/namespaces/"+f.namespace+"/services/hello", "application/merge-patch+json", []byte(`{"spec":{"selector":{"app":null,"tier":"web"}}}`), nil))
	f.leads(0, 4)
	f.stand(f.canary, 2)
	f.give(platform.Weights{f.canary.ID: platform.Whole})
	f.leads(2, 0)
	third := f.canary
	third.ID, third.Version, third.Config.Env = "r-333333333333", "v3", map[string]string{"HELLO_VERSION": "v3"}
	f.stand(third, 2)
	f.leads(2, 0)
	f.give(platform.Weights{f.canary.ID: 666_667, third.ID: 333_333})
	f.leads(3, 0)
	if got := f.share("v3"); math.Abs(got-0.333) > 0.09 {
		t.Errorf("%.3f of the requests go to the third, not a third", got)
	}
	f.give(platform.Weights{f.old: 666_667, third.ID: 333_333})
	f.leads(2, 4)
	if got := f.selector(); got != `{"tier":"web"}` {
		t.Errorf("the Service selects %s", got)
	}
	f.must(f.API.Do(t.Context(), http.MethodDelete, "/apis/apps/v1/namespaces/"+f.namespace+"/deployments/hello-"+third.ID, "", nil, nil))
	s := f.until("somebody has deleted it", func(s platform.State) bool { return s.Weights[f.old] == platform.Whole })
	if !strings.HasPrefix(s.Foreign, "somebody has deleted the Deployment hello-"+third.ID+": the weights are "+f.old+" 100 %, not ") {
		t.Errorf("it says %q", s.Foreign)
	}
	f.give(platform.Weights{f.old: platform.Whole})
	if s := f.observe(); s.Foreign != "" || s.Weights[f.old] != platform.Whole {
		t.Errorf("in the end: %+v", s)
	}
}

func (f *fleet) eventually(what string, so func() bool) {
	f.t.Helper()
	for late := time.Now().Add(time.Minute); !so(); {
		if time.Now().After(late) || process.Wait(f.t.Context(), 100*time.Millisecond) != nil {
			f.t.Fatalf("it does not come to it that %s", what)
		}
	}
}

func (f *fleet) podsOf(revision string) string {
	return "/api/v1/namespaces/" + f.namespace + "/pods?labelSelector=fairway.dev/revision%3D" + revision
}

// deletePods deletes all pods of a revision and waits until they have gone.
func (f *fleet) deletePods(revision string) {
	f.t.Helper()
	before := f.names(revision)
	f.must(f.API.Do(f.t.Context(), http.MethodDelete, f.podsOf(revision), "", nil, nil))
	f.eventually("the pods have gone", func() bool {
		return !slices.ContainsFunc(f.names(revision), func(name string) bool { return slices.Contains(before, name) })
	})
}

func (f *fleet) names(revision string) (all []string) {
	f.t.Helper()
	var list struct {
		Items []struct{ Metadata struct{ Name string } }
	}
	f.get(f.podsOf(revision), &list)
	for _, pod := range list.Items {
		all = append(all, pod.Metadata.Name)
	}
	return all
}

func (f *fleet) label(pod, key, value string) {
	f.t.Helper()
	body := fmt.Sprintf(`{"metadata":{"labels":{%q:%q}}}`, key, value)
	f.must(f.API.Do(f.t.Context(), http.MethodPatch, "/api/v1/namespaces/"+f.namespace+"/pods/"+pod, "application/merge-patch+json", []byte(body), nil))
}

func namesWhoChangesIt(t *testing.T, f *fleet) {
	f.stand(f.canary, 4)
	f.give(platform.Weights{f.canary.ID: platform.Whole})
	f.leads(4, 0)
	body := `{"spec":{"selector":{"fairway.dev/home":null,"fairway.dev/revision":null,"app":"hello"}}}`
	f.must(f.API.Do(t.Context(), http.MethodPatch, "/api/v1/namespaces/"+f.namespace+"/services/hello?fieldManager=argocd-controller", "application/merge-patch+json", []byte(body), nil))
	s := f.until("it is noticed", func(s platform.State) bool { return s.Foreign != "" })
	want := fmt.Sprintf("argocd-controller has changed the Service hello: its weights are %s 50 %%, %s 50 %%, not %s 100 %%", f.canary.ID, f.old, f.canary.ID)
	if f.old < f.canary.ID {
		want = fmt.Sprintf("argocd-controller has changed the Service hello: its weights are %s 50 %%, %s 50 %%, not %s 100 %%", f.old, f.canary.ID, f.canary.ID)
	}
	if s.Foreign != want {
		t.Errorf("it says %q", s.Foreign)
	}
	f.give(platform.Weights{f.canary.ID: platform.Whole})
	f.leads(4, 0)
}

const rights = `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: no-labels}
rules:
- {apiGroups: [""], resources: [pods, replicasets], verbs: [get, list, watch]}
- {apiGroups: ["", apps, autoscaling, policy, networking.k8s.io], resources: [services, deployments, replicasets, horizontalpodautoscalers, poddisruptionbudgets, networkpolicies], verbs: ["*"]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: no-labels}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: no-labels}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: no-labels}]
`

func missesARight(t *testing.T, f *fleet) {
	f.apply(rights)
	file, err := f.KubeconfigFor("no-labels")
	f.must(err)
	clusters := kubernetes.New(kubernetes.Config{Kubeconfig: file})
	t.Cleanup(clusters.Close)
	f.Platform = f.open(t, clusters)
	err = f.Place(t.Context(), f.lease, target, f.canary, platform.Capacity{Instances: 1})
	if fault.CodeOf(err) != fault.Denied || !strings.Contains(err.Error(), "may not patch pods") {
		t.Errorf("it hears %v before the canary is placed", err)
	}
	f.Platform = f.open(t, f.clusters)
	f.stand(f.canary, 1) // while somebody had the right
	f.Platform = f.open(t, clusters)
	err = f.Route(t.Context(), f.lease, target, platform.Weights{f.old: 800_000, f.canary.ID: 200_000})
	if fault.CodeOf(err) != fault.Denied || !strings.Contains(err.Error(), `cannot patch resource "pods"`) {
		t.Errorf("it hears %v before a weight is written", err)
	}
	if s := f.observe(); s.Weights[f.old] != platform.Whole || s.Foreign != "" {
		t.Errorf("the weights are %v (%s)", s.Weights, s.Foreign)
	}
}

func refusesOthers(t *testing.T, f *fleet) {
	f.apply(strings.NewReplacer("name: hello, namespace", "name: hello-old, namespace", "{app: hello}", "{app: hello, old: yes-it-is}").Replace(deployment))
	f.until("it is refused", func(platform.State) bool {
		err := f.Place(t.Context(), f.lease, target, f.canary, platform.Capacity{Instances: 1})
		return fault.CodeOf(err) == fault.Invalid && strings.Contains(err.Error(), "leads to pods of the ReplicaSet hello-old-")
	})
}
