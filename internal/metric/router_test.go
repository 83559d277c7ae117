package metric

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/judge"
	"github.com/fairwayhq/fairway/internal/router"
)

// fakeRouter counts what the test says.
type fakeRouter struct {
	down     error
	counters router.Counters
	route    router.Route
	noRoute  bool
}

func (f *fakeRouter) Counters(context.Context) (router.Counters, error) { return f.counters, f.down }

func (f *fakeRouter) Route(_ context.Context, target string) (router.Route, error) {
	if f.noRoute {
		return router.Route{}, fault.Errorf(fault.NotFound, "no route %s", target)
	}
	return f.route, f.down
}

// newFakeRouter has one instance per arm that started at the start.
func newFakeRouter() *fakeRouter {
	f := &fakeRouter{counters: router.Counters{Epoch: "e1", Bounds: []float64{0.1, 1}, Routes: map[string]router.RouteCounters{}}}
	f.route.Arms = []router.Arm{{Revision: "r1", Weight: 900_000}, {Revision: "r2", Weight: 100_000}}
	f.count("r1", "a", 0, 0, nil)
	f.count("r2", "b", 0, 0, nil)
	return f
}

// count sets what the instance that started age after the start has counted.
func (f *fakeRouter) count(revision, address string, requests, errors int64, latency []int64) {
	f.countSince(revision, address, start, requests, errors, latency)
}

func (f *fakeRouter) countSince(revision, address string, since time.Time, requests, errors int64, latency []int64) {
	const target = "shop/production"
	if f.counters.Routes[target].Arms == nil {
		f.counters.Routes[target] = router.RouteCounters{Arms: map[string]router.ArmCounters{}}
	}
	b := router.Backend{Address: address, StartedAt: since}
	n := router.BackendCounters{Backend: b, Counts: router.Counts{
		Requests: requests, Errors: router.Errors{Status: errors}, Latency: router.Latency{Counts: latency},
	}}
	arm := f.counters.Routes[target].Arms[revision]
	i := slices.IndexFunc(arm.Backends, func(o router.BackendCounters) bool { return o.Backend == b })
	if i >= 0 {
		arm.Backends[i] = n
		return
	}
	arm.Backends = append(arm.Backends, n)
	f.counters.Routes[target].Arms[revision] = arm
	for i := range f.route.Arms {
		if f.route.Arms[i].Revision == revision {
			f.route.Arms[i].Backends = append(f.route.Arms[i].Backends, b)
		}
	}
}

type routerLooks struct {
	t      testing.TB
	source *Router
	cursor []byte
}

func (f *fakeRouter) looks(t testing.TB) *routerLooks {
	r, err := NewRouter(f)
	if err != nil {
		t.Fatal(err)
	}
	return &routerLooks{t: t, source: r}
}

func (l *routerLooks) at(second int) judge.Sample {
	l.t.Helper()
	s, next, err := l.source.Sample(context.Background(), askAt(start.Add(time.Duration(second)*time.Second)), l.cursor)
	if err != nil {
		l.t.Fatal(err)
	}
	l.cursor = next
	return s
}

func TestRouterCountsIncrements(t *testing.T) {
	f := newFakeRouter()
	f.count("r1", "a", 100, 2, []int64{90, 8, 2})
	l := f.looks(t)
	if s := l.at(60); s.Missing != firstLook {
		t.Fatalf("the first look says %q", s.Missing)
	}
	f.count("r1", "a", 150, 3, []int64{130, 17, 3})
	f.count("r2", "b", 10, 1, []int64{9, 0, 1})
	s := l.at(61)
	want := judge.Sample{
		At: start.Add(61 * time.Second), Weight: 0.5,
		Stable: judge.Arm{Requests: 50, Errors: 1, Latency: histogramOf(40, 9, 1), Instances: 1, WarmInstances: 1},
		Canary: judge.Arm{
			Requests: 10, Errors: 1, Latency: histogramOf(9, 0, 1), Instances: 1, WarmInstances: 1,
			ErrorsBy: []judge.InstanceErrors{{Instance: "b@" + start.Format(time.RFC3339Nano), Errors: 1}},
		},
	}
	same(t, s, want)
	same(t, l.at(62), judge.Sample{
		At: start.Add(62 * time.Second), Weight: 0.5,
		Stable: judge.Arm{Latency: histogramOf(0, 0, 0), Instances: 1, WarmInstances: 1},
		Canary: judge.Arm{Latency: histogramOf(0, 0, 0), Instances: 1, WarmInstances: 1, ErrorsBy: []judge.InstanceErrors{}},
	})
}

func TestRouterLatencyIsThatOfInstancesWarmAtTheLastLook(t *testing.T) {
	f := newFakeRouter()
	l := f.looks(t)
	l.at(60)
	f.countSince("r2", "c", start.Add(60500*time.Millisecond), 5, 5, []int64{0, 0, 5})
	s := l.at(90)
	if s.Canary.Requests != 5 || s.Canary.Errors != 5 || s.Canary.Latency.Total() != 0 || s.Canary.Instances != 2 || s.Canary.WarmInstances != 1 {
		t.Errorf("a cold instance: %+v", s.Canary)
	}
	if s.Canary.Cold.Total() != 5 || s.Canary.ColdAge != 0 || len(s.Canary.ErrorsBy) != 1 || s.Canary.ErrorsBy[0].Errors != 5 {
		t.Errorf("what is told of the cold instance: %+v", s.Canary)
	}
	// Warm since 90.5 s, so that some of these requests may have met it cold.
	f.countSince("r2", "c", start.Add(60500*time.Millisecond), 9, 5, []int64{2, 0, 7})
	if s = l.at(91); s.Canary.Requests != 4 || s.Canary.Latency.Total() != 0 || s.Canary.Cold.Total() != 4 || s.Canary.ColdAge != 29.5 {
		t.Errorf("an instance that became warm meanwhile: %+v", s.Canary)
	}
	f.countSince("r2", "c", start.Add(60500*time.Millisecond), 12, 5, []int64{5, 0, 7})
	if s = l.at(92); !slices.Equal(s.Canary.Latency.Counts, []int64{3, 0, 0}) || s.Canary.WarmInstances != 2 {
		t.Errorf("a warm instance: %+v", s.Canary)
	}
}

func TestRouterCrashLosesAnIncrementAndInventsNone(t *testing.T) {
	f := newFakeRouter()
	f.count("r1", "a", 100, 50, []int64{50, 50, 0})
	f.count("r2", "b", 100, 50, []int64{50, 50, 0})
	l := f.looks(t)
	l.at(60)
	f.counters.Epoch = "e2"
	f.count("r1", "a", 120, 57, []int64{60, 60, 0}) // more than before, and yet anew from zero
	f.count("r2", "b", 3, 1, []int64{2, 1, 0})
	s := l.at(61)
	if s.Stable.Requests != 120 || s.Stable.Errors != 57 || s.Canary.Requests != 3 || !slices.Equal(s.Canary.Latency.Counts, []int64{2, 1, 0}) {
		t.Errorf("after a crash: %+v", s)
	}
	f.count("r2", "b", 1, 0, []int64{1, 0, 0})
	if s = l.at(62); s.Canary.Requests != 1 || s.Canary.Errors != 0 || s.Stable.Requests != 0 {
		t.Errorf("after one instance counted backwards: %+v", s)
	}
}

func TestRouterSaysWhyThereIsNoEvidence(t *testing.T) {
	for _, tc := range []struct {
		name, want string
		change     func(*fakeRouter)
	}{
		{"router down", "the router does not answer: connect", func(f *fakeRouter) { f.down = fault.Errorf(fault.Unavailable, "connect") }},
		{"no route", "the router has no route to the stable arm (revision r1)", func(f *fakeRouter) { f.noRoute = true }},
		{"no canary", "the router has no route to the canary arm (revision r2)", func(f *fakeRouter) { f.route.Arms = f.route.Arms[:1] }},
		{"no instance", "the canary arm has no instance in the router", func(f *fakeRouter) { f.route.Arms[1].Backends = nil }},
		{"no traffic", "the router gives the stable arm no traffic", func(f *fakeRouter) { f.route.Arms[0].Weight = 0 }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFakeRouter()
			l := f.looks(t)
			l.at(60)
			healthy := *f
			healthy.route.Arms = slices.Clone(f.route.Arms)
			tc.change(f)
			for second := range 2 {
				s := l.at(61 + second)
				if s.Missing != tc.want || s.Stable.Instances != 0 {
					t.Fatalf("got %+v, want Missing %q", s, tc.want)
				}
			}
			*f = healthy
			f.count("r1", "a", 20, 0, []int64{20, 0, 0})
			f.count("r2", "b", 5, 1, []int64{5, 0, 0})
			if s := l.at(63); s.Missing != "" || s.Stable.Requests != 20 || s.Canary.Requests != 5 {
				t.Errorf("the next good look is %+v; it must carry everything", s)
			}
		})
	}
}

func TestRouterReportsWhatAnArmDidBeforeItsLastInstanceWent(t *testing.T) {
	f := newFakeRouter()
	l := f.looks(t)
	l.at(60)
	f.count("r1", "a", 9, 0, []int64{9, 0, 0})
	f.count("r2", "b", 5, 5, []int64{5, 0, 0})
	f.route.Arms[1].Backends = nil
	if s := l.at(61); s.Missing != "" || s.Canary.Errors != 5 || s.Canary.Instances != 1 {
		t.Errorf("got %+v", s)
	}
}

func TestRouterCursorOfAnotherCanaryBeginsAnew(t *testing.T) {
	f := newFakeRouter()
	l := f.looks(t)
	l.at(60)
	ask := askAt(start.Add(61 * time.Second))
	ask.Canary = "r3"
	if s, _, err := l.source.Sample(context.Background(), ask, l.cursor); err != nil || s.Missing != "first look at revision r3" {
		t.Errorf("got %q, %v", s.Missing, err)
	}
	l.cursor = []byte("{")
	if s := l.at(62); s.Missing != lostPlace {
		t.Errorf("got %q", s.Missing)
	}
}

// However often one looks, the sum is what the router counted.
func TestRouterSumsAreExact(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		f := newFakeRouter()
		l := f.looks(t)
		l.at(60)
		var requests, errors, seenRequests, seenErrors int64
		for second := range rapid.IntRange(1, 20).Draw(r, "seconds") {
			errors += rapid.Int64Range(0, 3).Draw(r, "errors")
			requests = errors + rapid.Int64Range(requests-errors, requests-errors+50).Draw(r, "requests")
			requests = max(requests, errors)
			f.count("r2", "b", requests, errors, []int64{requests, 0, 0})
			down := rapid.Bool().Draw(r, "down")
			f.down = nil
			if down {
				f.down = fault.Errorf(fault.Unavailable, "connect")
			}
			s := l.at(61 + second)
			seenRequests, seenErrors = seenRequests+s.Canary.Requests, seenErrors+s.Canary.Errors
			if !down && (seenRequests != requests || seenErrors != errors || s.Missing != "") {
				r.Fatalf("saw %d requests and %d errors of %d and %d; %q", seenRequests, seenErrors, requests, errors, s.Missing)
			}
		}
	})
}

func TestRouterProbe(t *testing.T) {
	f := newFakeRouter()
	r, err := NewRouter(f)
	if err != nil {
		t.Fatal(err)
	}
	f.noRoute = true
	if err := r.Probe(context.Background(), askAt(start)); err != nil {
		t.Errorf("before the first deploy: %v", err)
	}
	f.noRoute, f.down = false, fault.Errorf(fault.Unavailable, "connect")
	if err := r.Probe(context.Background(), askAt(start)); fault.CodeOf(err) != fault.Unavailable || !strings.Contains(err.Error(), "connect") {
		t.Errorf("router down: %v", err)
	}
}

func histogramOf(counts ...int64) judge.Histogram {
	return judge.Histogram{Bounds: []float64{0.1, 1}, Counts: counts}
}
