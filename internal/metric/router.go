package metric

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/judge"
	"github.com/fairwayhq/fairway/internal/router"
)

func openRouter(raw json.RawMessage, deps Deps) (Source, error) {
	var c RouterConfig
	if err := decodeConfig("router", raw, &c); err != nil {
		return nil, err
	}
	return NewRouter(deps.Router)
}

// RouterConfig has no settings: the router counts every request that it gives
// to an instance, and knows the arms by their revisions.
type RouterConfig struct{}

// RouterCounters is what a Router needs of the router; *router.Client has it.
type RouterCounters interface {
	// Counters returns everything that the router counted.
	Counters(ctx context.Context) (router.Counters, error)
	// Route returns the route of the target, or a fault.NotFound.
	Route(ctx context.Context, target string) (router.Route, error)
}

// Router takes samples from the router of the host platform, which sees every
// request, also those that no instance answered. It has something new at every
// look. It keeps no past, so it is no Historian: the judge begins with its priors.
type Router struct{ counters RouterCounters }

// NewRouter makes the source.
func NewRouter(counters RouterCounters) (*Router, error) {
	if counters == nil {
		return nil, fault.Errorf(fault.Invalid, "the metric source router needs a router, and this worker has none").
			WithHint("use it with the host platform, or choose prometheus")
	}
	return &Router{counters: counters}, nil
}

// Interval is how often the source has something new.
func (*Router) Interval() time.Duration { return time.Second }

// routerCursor is where the last good look ended.
type routerCursor struct {
	At     time.Time             `json:"at"`
	Epoch  string                `json:"epoch"`
	Bounds []float64             `json:"bounds"`
	Arms   map[string]routerMark `json:"arms"` // by revision
}

// routerMark is what one arm's instances had counted by then.
type routerMark map[string]backendMark

type backendMark struct {
	// Since is when the instance started, or was first seen if that is unknown.
	Since    time.Time `json:"since"`
	Requests int64     `json:"requests"`
	Errors   int64     `json:"errors"`
	Latency  []int64   `json:"latency"`
}

// Sample implements Source.
func (r *Router) Sample(ctx context.Context, ask Ask, cursor []byte) (judge.Sample, []byte, error) {
	if err := ask.validate(); err != nil {
		return judge.Sample{}, nil, err
	}
	if why := ask.without(); why != "" {
		return ask.missing(ask.Now, why), cursor, nil
	}
	counters, route, err := r.look(ctx, ask)
	if err != nil {
		return ask.missing(ask.Now, fmt.Sprintf("the router does not answer: %v", err)), cursor, nil
	}
	before, first := readRouterCursor(cursor, ask, counters)
	after := before.next(counters, ask)
	if first != "" {
		return ask.missing(ask.Now, first), encode(after), nil
	}
	s := judge.Sample{At: ask.Now, Weight: ask.Weight, Custom: ask.none("the router counts requests, and nothing else")}
	arms := map[string]*judge.Arm{stableArm: &s.Stable, canaryArm: &s.Canary}
	for _, a := range ask.arms() {
		live, _ := route.Arm(a.revision)
		*arms[a.arm] = before.arm(after, live, a, ask.WarmUp)
		// What an arm did before its last instance went is evidence all the same.
		if why := unrouted(a, live); why != "" && arms[a.arm].Requests == 0 {
			return ask.missing(ask.Now, why), cursor, nil
		}
	}
	return s, encode(after), nil
}

// look reads the counters, and the route as it is now; a target without a route
// has an empty one.
func (r *Router) look(ctx context.Context, ask Ask) (router.Counters, router.Route, error) {
	counters, err := r.counters.Counters(ctx)
	if err != nil {
		return router.Counters{}, router.Route{}, err
	}
	route, err := r.counters.Route(ctx, ask.Target())
	if fault.CodeOf(err) == fault.NotFound {
		err = nil
	}
	return counters, route, err
}

func unrouted(a armAsk, live router.Arm) string {
	switch {
	case live.Revision == "":
		return fmt.Sprintf("the router has no route to the %s arm (revision %s)", a.arm, a.revision)
	case len(live.Backends) == 0:
		return fmt.Sprintf("the %s arm has no instance in the router", a.arm)
	case live.Weight == 0:
		return fmt.Sprintf("the router gives the %s arm no traffic", a.arm)
	}
	return ""
}

// readRouterCursor returns where to go on, or why this look is a first one.
func readRouterCursor(raw []byte, ask Ask, now router.Counters) (c routerCursor, first string) {
	switch {
	case len(raw) == 0:
		return routerCursor{}, firstLook
	case json.Unmarshal(raw, &c) != nil || c.At.IsZero():
		return routerCursor{}, lostPlace
	}
	for _, a := range ask.arms() {
		if c.Arms[a.revision] == nil {
			return routerCursor{}, fmt.Sprintf("first look at revision %s", a.revision)
		}
	}
	was, is := judge.Histogram{Bounds: c.Bounds}, judge.Histogram{Bounds: now.Bounds}
	if c.Epoch != now.Epoch || !was.SameBounds(is) {
		// All counts began anew at zero. What was counted between the last look and
		// the crash is lost; what was counted since is not.
		for _, mark := range c.Arms {
			for key, b := range mark {
				mark[key] = backendMark{Since: b.Since}
			}
		}
	}
	return c, ""
}

// next is the cursor after the look.
func (c routerCursor) next(now router.Counters, ask Ask) routerCursor {
	after := routerCursor{At: ask.Now, Epoch: now.Epoch, Bounds: now.Bounds, Arms: map[string]routerMark{}}
	for _, a := range ask.arms() {
		mark := routerMark{}
		for _, b := range now.Routes[ask.Target()].Arms[a.revision].Backends {
			key := backendKey(b.Backend)
			since := b.StartedAt
			if since.IsZero() {
				since = ask.Now
				if old, ok := c.Arms[a.revision][key]; ok {
					since = old.Since
				}
			}
			mark[key] = backendMark{Since: since, Requests: b.Requests, Errors: b.Errors.Total(), Latency: b.Latency.Counts}
		}
		after.Arms[a.revision] = mark
	}
	return after
}

func backendKey(b router.Backend) string {
	return b.Address + "@" + b.StartedAt.UTC().Format(time.RFC3339Nano)
}

// arm is what one arm did between both cursors. Latency is that of instances
// that were warm at the first of them already, so that no cold request is in it.
func (c routerCursor) arm(after routerCursor, live router.Arm, ask armAsk, warmUp time.Duration) judge.Arm {
	arm := judge.Arm{Instances: max(1, len(live.Backends))}
	latency, cold := make([]int64, len(after.Bounds)+1), make([]int64, len(after.Bounds)+1)
	warm := map[string]bool{}
	var one instances
	for key, now := range after.Arms[ask.revision] {
		// An instance that was not listed at the last look had counted nothing then.
		was := c.Arms[ask.revision][key].unlessReset(now)
		arm.Requests += now.Requests - was.Requests
		arm.Errors += now.Errors - was.Errors
		one.failed(key, now.Errors-was.Errors)
		if warmUp > 0 && now.Since.Add(warmUp).After(c.At) {
			one.young(c.At.Sub(now.Since))
			addIncrements(cold, now.Latency, was.Latency)
			continue
		}
		warm[key] = true
		addIncrements(latency, now.Latency, was.Latency)
	}
	for _, b := range live.Backends {
		if warm[backendKey(b)] {
			arm.WarmInstances++
		}
	}
	arm.Latency = judge.Histogram{Bounds: after.Bounds, Counts: latency}
	if ask.arm == canaryArm {
		one.tell(&arm, judge.Histogram{Bounds: after.Bounds, Counts: cold})
	}
	return arm
}

func addIncrements(sum, now, was []int64) {
	for i := range min(len(sum), len(now)) {
		sum[i] += now[i]
		if i < len(was) {
			sum[i] -= was[i]
		}
	}
}

// unlessReset returns the mark, or zero where the instance counts less now: it
// then began anew, and what it counted before is lost.
func (m backendMark) unlessReset(now backendMark) backendMark {
	less := now.Requests < m.Requests || now.Errors < m.Errors || len(now.Latency) < len(m.Latency)
	for i := 0; i < len(m.Latency) && !less; i++ {
		less = now.Latency[i] < m.Latency[i]
	}
	if less {
		return backendMark{}
	}
	return m
}

// Probe implements Prober.
func (r *Router) Probe(ctx context.Context, ask Ask) error {
	_, err := r.counters.Route(ctx, ask.Target())
	if fault.CodeOf(err) == fault.NotFound {
		return nil // the first deploy makes it
	}
	return err
}

// Queries implements Asker.
func (*Router) Queries(ask Ask) []Query {
	var all []Query
	for _, arm := range ask.arms() {
		read := fmt.Sprintf("the router's own counters of %s, revision %s", ask.Target(), arm.revision)
		for _, name := range []string{"requests", "errors", "histogram"} {
			all = append(all, Query{Metric: name, Arm: arm.arm, Query: read})
		}
	}
	return all
}

var (
	_ Source         = (*Router)(nil)
	_ Asker          = (*Router)(nil)
	_ Prober         = (*Router)(nil)
	_ Paced          = (*Router)(nil)
	_ RouterCounters = (*router.Client)(nil)
)
