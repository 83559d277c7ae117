package router

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
)

// registry owns the table: it checks an update, makes it durable, and then lets
// requests see it, one update at a time.
type registry struct {
	disk    disk
	tally   *tally
	sockets sockets
	log     *slog.Logger

	mu       sync.Mutex
	table    Table
	backends map[instance]*backend
	drains   map[*backend]*time.Timer
	frozen   bool
}

// sockets is where the registry puts what each address serves.
type sockets interface {
	// open makes sure that the address is listened on and returns it with its real port.
	open(listen string, tls bool) (string, error)
	// serve sets what each address serves; addresses not named are closed.
	serve(sites map[string]*site)
}

func newRegistry(d disk, t *tally, s sockets, log *slog.Logger) *registry {
	return &registry{
		disk: d, tally: t, sockets: s, log: log,
		table:    Table{Version: TableVersion, Routes: map[string]Route{}},
		backends: map[instance]*backend{}, drains: map[*backend]*time.Timer{},
	}
}

// restore serves a table read from disk. An address that cannot be listened on
// does not keep the other routes from being served.
func (g *registry) restore(t Table) {
	g.mu.Lock()
	g.table = t.clone()
	g.mu.Unlock()
	if err := g.listen(); err != nil {
		g.log.Error("could not serve all routes", "error", err)
	}
}

// reload follows the table that another process writes, for the connections
// that this one still serves. It returns the serial of the table in force.
func (g *registry) reload() int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	if t, err := readTable(g.disk.path()); err == nil && t.Serial > g.table.Serial {
		g.table = t
		g.publish()
	}
	return g.table.Serial
}

// serial is that of the table in force.
func (g *registry) serial() int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.table.Serial
}

// listen opens the addresses of the table that are not listened on yet.
func (g *registry) listen() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	var errs []error
	for _, r := range g.table.Routes {
		if r.Served() {
			_, err := g.sockets.open(r.Listen, r.TLS)
			errs = append(errs, err)
		}
	}
	g.publish()
	return errors.Join(errs...)
}

// Table returns a copy of the table.
func (g *registry) Table() Table {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.table.clone()
}

// Route returns a copy of one route.
func (g *registry) Route(target string) (Route, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	r, ok := g.table.Routes[target]
	if !ok {
		return Route{}, noRoute(target)
	}
	return r.clone(), nil
}

// Put replaces a route, or makes it.
func (g *registry) Put(target string, r Route) (Route, error) {
	return g.change(target, func(old Route) (Route, error) {
		if err := fenced(target, r.Fence, old.Fence); err != nil {
			return Route{}, err
		}
		if err := r.Validate(); err != nil {
			return Route{}, fault.Errorf(fault.CodeOf(err), "put route %s: %w", target, err)
		}
		if old.Home != "" {
			r.Home = old.Home
		}
		r.Home = r.home(r.Home)
		if err := r.harmless(time.Now()); err != nil {
			return Route{}, err
		}
		r.Listen = keepPort(r.Listen, old.Listen)
		if err := g.table.fits(target, r); err != nil {
			return Route{}, err
		}
		listen, err := g.sockets.open(r.Listen, r.TLS)
		r.Listen = listen
		return r, err
	})
}

// Claim writes a fence onto the route, also onto one that does not exist yet.
func (g *registry) Claim(target string, fence int64, holder string) (Route, error) {
	return g.change(target, func(r Route) (Route, error) {
		err := fenced(target, fence, r.Fence)
		r.Fence, r.Holder = fence, holder
		return r, err
	})
}

// Delete stops serving a route; its fence stays.
func (g *registry) Delete(target string, fence int64) error {
	_, err := g.change(target, func(r Route) (Route, error) {
		return Route{Fence: fence, Holder: r.Holder}, fenced(target, fence, r.Fence)
	})
	return err
}

// PutBackends replaces the instances of one arm and leaves its weight.
func (g *registry) PutBackends(target, revision string, b BackendsUpdate) (Route, error) {
	return g.change(target, func(r Route) (Route, error) {
		if err := b.allowed(target, r); err != nil {
			return Route{}, err
		}
		if b.Fence > r.Fence {
			r.Fence, r.Holder = b.Fence, b.Holder
		}
		i := slices.IndexFunc(r.Arms, func(a Arm) bool { return a.Revision == revision })
		if i < 0 {
			return Route{}, fault.Errorf(fault.NotFound, "route %s has no revision %s", target, revision)
		}
		r.Arms[i].Backends = b.Backends
		return r, r.Validate()
	})
}

// change applies one update: make computes the new route from a copy of the old
// one, or refuses. What it returns is on disk before a request sees it.
func (g *registry) change(target string, make func(Route) (Route, error)) (Route, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.frozen {
		return Route{}, errHanding
	}
	if target == "" {
		return Route{}, fault.Errorf(fault.Invalid, "the target is empty")
	}
	old := g.table.Routes[target]
	r, err := make(old.clone())
	if err == nil {
		r = r.clone()
		r.Generation = old.Generation + 1
		next := g.table.clone()
		next.Routes[target] = r
		next.Serial++
		if err = g.disk.save(next.withoutFaults()); err == nil {
			g.table = next
		}
	}
	g.publish()
	if err != nil {
		return Route{}, err
	}
	return r.clone(), nil
}

// freeze refuses changes from now on, or allows them again.
func (g *registry) freeze(on bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.frozen = on
}

// publish lets requests see the table, and addresses be listened on that it needs.
func (g *registry) publish() {
	sites, seen := map[string]*site{}, map[instance]bool{}
	for _, target := range slices.Sorted(maps.Keys(g.table.Routes)) {
		r := g.table.Routes[target]
		if !r.Served() {
			continue
		}
		s := sites[r.Listen]
		if s == nil {
			s = &site{byHost: map[string]*liveRoute{}}
			sites[r.Listen] = s
		}
		l := g.live(target, r, seen)
		for _, h := range r.Hosts {
			s.byHost[h] = l
		}
		if len(r.Hosts) == 0 {
			s.rest = l
		}
	}
	g.sockets.serve(sites)
	for i, b := range g.backends {
		if !seen[i] {
			g.depart(i, b)
		}
	}
	g.tally.leave(seen, time.Now())
}

func (g *registry) live(target string, r Route, seen map[instance]bool) *liveRoute {
	l := &liveRoute{target: target, sticky: r.Sticky, timeout: r.Timeout}
	if l.timeout == 0 {
		l.timeout = time.Minute
	}
	for _, a := range r.Arms {
		arm := &liveArm{revision: a.Revision, weight: a.Weight, fault: a.Fault}
		for _, b := range a.Backends {
			i := instanceOf(target, a.Revision, b)
			seen[i] = true
			arm.backends = append(arm.backends, g.backend(i, r.DrainTimeout))
		}
		if a.Weight > 0 {
			l.arms = append(l.arms, arm)
		}
	}
	return l
}

func (g *registry) backend(i instance, drain time.Duration) *backend {
	b := g.backends[i]
	if b == nil {
		b = &backend{address: i.address, counts: g.tally.recorder(i)}
		b.cut, b.cutOff = context.WithCancel(context.Background())
		g.backends[i] = b
	}
	b.drain = drain
	return b
}

// depart lets a backend go that left the table: what is in flight on it may end
// within its drain timeout.
func (g *registry) depart(i instance, b *backend) {
	delete(g.backends, i)
	b.idle.close()
	if b.drain > 0 {
		g.drains[b] = time.AfterFunc(b.drain, func() {
			b.cutOff()
			g.mu.Lock()
			defer g.mu.Unlock()
			delete(g.drains, b)
		})
	}
}

// expire closes connections to backends that have been idle for long.
func (g *registry) expire(now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, b := range g.backends {
		b.idle.expire(now.Add(-idleBackend))
	}
}

// close ends all timers and idle connections.
func (g *registry) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.frozen = true
	for b, t := range g.drains {
		t.Stop()
		b.cutOff()
	}
	for _, b := range g.backends {
		b.idle.close()
		b.cutOff()
	}
}

func fenced(target string, fence, seen int64) error {
	if fence < seen {
		return fault.Errorf(fault.Conflict, "route %s refused fence %d, it has seen %d: %w", target, fence, seen, ErrFenced)
	}
	return nil
}

func noRoute(target string) error {
	return fault.Errorf(fault.NotFound, "the router has no route %s", target)
}

// keepPort returns the address that a route already has where the new one
// leaves the port to the system.
func keepPort(listen, had string) string {
	host, port, err := net.SplitHostPort(listen)
	hadHost, _, hadErr := net.SplitHostPort(had)
	if err == nil && hadErr == nil && port == "0" && host == hadHost {
		return had
	}
	return listen
}

// BackendsUpdate replaces the instances of one arm without touching weights.
//
// With Fence it is an update of a leaseholder. Without, it is one of a keeper
// that replaced a dead instance and holds no lease: Generation must then be that
// of the route it read, so that it can never undo what a leaseholder did since.
type BackendsUpdate struct {
	Fence      int64     `json:"fence,omitempty"`
	Holder     string    `json:"holder,omitempty"`
	Generation int64     `json:"generation,omitempty"`
	Backends   []Backend `json:"backends"`
}

func (b BackendsUpdate) allowed(target string, r Route) error {
	switch {
	case !r.Served():
		return noRoute(target)
	case b.Fence > 0:
		return fenced(target, b.Fence, r.Fence)
	case b.Generation != r.Generation:
		return fault.Errorf(fault.Conflict, "route %s has changed: generation %d, not %d", target, r.Generation, b.Generation).
			WithHint("read the route again and decide anew")
	}
	return nil
}
