package rig

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/fairwayhq/fairway/internal/platform"
	"github.com/fairwayhq/fairway/internal/process"
	"github.com/fairwayhq/fairway/test/cluster"
)

// Weights are those of a route at one time.
type Weights struct {
	At time.Time
	// Of maps Services to their weights, as they stand in the route.
	Of map[string]int
}

// Canary is the share of the traffic that does not go to the team's own Service.
func (w Weights) Canary() float64 {
	sum := 0
	for _, weight := range w.Of {
		sum += weight
	}
	if sum == 0 {
		return 0
	}
	return float64(sum-w.Of["shop"]) / float64(sum)
}

// Route looks every 100 ms how the traffic is split, and whether that can be right.
type Route struct {
	api       *cluster.API
	namespace string
	end       context.CancelFunc
	done      chan struct{}

	mu      sync.Mutex
	changes []Weights
	whole   int
	wrong   []string
}

func watchRoute(api *cluster.API, namespace string) *Route {
	ctx, end := context.WithCancel(context.Background())
	r := &Route{api: api, namespace: namespace, whole: platform.Whole, end: end, done: make(chan struct{})}
	go func() {
		defer close(r.done)
		for {
			r.look(ctx)
			if process.Wait(ctx, 100*time.Millisecond) != nil {
				return
			}
		}
	}()
	return r
}

// Now are the weights that were seen last.
func (r *Route) Now() Weights {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.changes) == 0 {
		return Weights{}
	}
	return r.changes[len(r.changes)-1]
}

// Since are all weights that were seen from an instant on, each once, the ones in force
// at that instant first.
func (r *Route) Since(from time.Time) []Weights {
	r.mu.Lock()
	defer r.mu.Unlock()
	first := 0
	for i, w := range r.changes {
		if !w.At.After(from) {
			first = i
		}
	}
	return append([]Weights(nil), r.changes[first:]...)
}

// When is the first instant after another at which the canary's share was so; zero if it
// has not been.
func (r *Route) When(after time.Time, so func(share float64) bool) time.Time {
	for _, w := range r.Since(after) {
		if !w.At.Before(after) && so(w.Canary()) {
			return w.At
		}
	}
	return time.Time{}
}

// TakeWrong are the sightings since it was last asked that can never be right, in
// sentences: weights that do not sum to the one whole, and weight on a Service without a
// ready pod.
func (r *Route) TakeWrong() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	wrong := r.wrong
	r.wrong = nil
	return wrong
}

type httpRoute struct {
	Metadata struct {
		ResourceVersion string `json:"resourceVersion"`
	}
	Spec struct {
		Rules []struct {
			BackendRefs []struct {
				Name   string
				Weight *int
			} `json:"backendRefs"`
		}
	}
}

func (r *Route) path() string {
	return "/apis/gateway.networking.k8s.io/v1/namespaces/" + r.namespace + "/httproutes/shop"
}

func (r *Route) look(ctx context.Context) {
	var route httpRoute
	// While the API server is away, nothing changes.
	if r.api.Get(ctx, r.path(), &route) != nil || len(route.Spec.Rules) == 0 {
		return
	}
	seen := Weights{At: time.Now(), Of: map[string]int{}}
	sum := 0
	for _, ref := range route.Spec.Rules[0].BackendRefs {
		weight := 1 // the Gateway API's default
		if ref.Weight != nil {
			weight = *ref.Weight
		}
		seen.Of[ref.Name] += weight
		sum += weight
	}
	r.note(seen, sum)
	for service, weight := range seen.Of {
		if weight > 0 {
			r.checkReady(ctx, service, route.Metadata.ResourceVersion)
		}
	}
}

// note keeps weights that are new. A team's own route, with one Service, may have any sum.
func (r *Route) note(seen Weights, sum int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(seen.Of) > 1 {
		if sum != r.whole {
			r.wrong = append(r.wrong, fmt.Sprintf("%s: the weights %v sum to %d, not to %d", stamp(seen.At), seen.Of, sum, r.whole))
		}
	}
	if n := len(r.changes); n == 0 || !maps.Equal(r.changes[n-1].Of, seen.Of) {
		r.changes = append(r.changes, seen)
	}
}

// checkReady looks whether a Service with weight has somebody to answer. The pods are
// read after the route, so it only counts when the route is still the same after that.
func (r *Route) checkReady(ctx context.Context, service, version string) {
	var slices struct {
		Items []struct {
			Endpoints []struct{ Conditions struct{ Ready *bool } }
		}
	}
	path := "/apis/discovery.k8s.io/v1/namespaces/" + r.namespace + "/endpointslices?labelSelector=kubernetes.io/service-name%3D" + service
	if r.api.Get(ctx, path, &slices) != nil {
		return
	}
	for _, s := range slices.Items {
		for _, e := range s.Endpoints {
			if e.Conditions.Ready == nil || *e.Conditions.Ready {
				return
			}
		}
	}
	var again httpRoute
	if r.api.Get(ctx, r.path(), &again) != nil || again.Metadata.ResourceVersion != version {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wrong = append(r.wrong, fmt.Sprintf("%s: %s has traffic and no pod that is ready", stamp(time.Now()), service))
}

func (r *Route) stop() {
	r.end()
	<-r.done
}

func stamp(t time.Time) string { return t.Format("15:04:05.000") }
