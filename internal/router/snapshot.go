package router

import (
	"cmp"
	"slices"
	"time"
)

// snapshot returns all counts as they are now.
func (t *tally) snapshot(now time.Time) Counters {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := Counters{
		Epoch: t.epoch, At: now.UTC(), Bounds: LatencyBounds(),
		Routes: map[string]RouteCounters{}, Unrouted: t.unrouted.Load(),
	}
	for arm, counts := range t.past {
		c.addTo(arm, counts, false)
	}
	for i, r := range t.recorders {
		c.addTo(i, r.snapshot(), true)
	}
	for _, route := range c.Routes {
		for _, arm := range route.Arms {
			slices.SortFunc(arm.Backends, func(a, b BackendCounters) int {
				return cmp.Or(a.StartedAt.Compare(b.StartedAt), cmp.Compare(a.Address, b.Address))
			})
		}
	}
	return c
}

func (c *Counters) addTo(i instance, counts Counts, listed bool) {
	route, ok := c.Routes[i.target]
	if !ok {
		route = RouteCounters{Arms: map[string]ArmCounters{}}
		c.Routes[i.target] = route
	}
	arm, ok := route.Arms[i.revision]
	if !ok {
		arm.Backends = []BackendCounters{}
	}
	arm.Counts = arm.Counts.Add(counts)
	if listed {
		arm.Backends = append(arm.Backends, BackendCounters{Backend: i.backend(), Counts: counts})
	}
	route.Arms[i.revision] = arm
}

// merge adds counts that another process, or this one in an earlier life, made:
// the increments of from since before.
func (t *tally) merge(from, before Counters) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.unrouted.Add(from.Unrouted - before.Unrouted)
	for target, route := range from.Routes {
		for revision, arm := range route.Arms {
			t.mergeArm(instance{target: target, revision: revision}, arm, before.Routes[target].Arms[revision])
		}
	}
}

func (t *tally) mergeArm(name instance, arm, before ArmCounters) {
	was := map[instance]Counts{}
	past := arm.Counts.Sub(before.Counts)
	for _, b := range before.Backends {
		was[instanceOf(name.target, name.revision, b.Backend)] = b.Counts
	}
	for _, b := range arm.Backends {
		i := instanceOf(name.target, name.revision, b.Backend)
		grown := b.Counts.Sub(was[i])
		past = past.Sub(grown)
		r := t.recorderLocked(i)
		r.add(grown)
		r.elsewhere.Store(b.Inflight)
	}
	past.Inflight = 0
	if past.Requests > 0 || past.Aborted > 0 {
		t.past[name] = t.past[name].Add(past)
	}
}

// alone forgets what another process had in flight, because it is gone.
func (t *tally) alone() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, r := range t.recorders {
		r.elsewhere.Store(0)
	}
}

// inflight returns the requests under way by address of the backend.
func (t *tally) inflight(target string) map[string]int64 {
	c := t.snapshot(time.Time{})
	n := map[string]int64{}
	for _, arm := range c.Routes[target].Arms {
		for _, b := range arm.Backends {
			n[b.Address] += b.Inflight
		}
	}
	return n
}
