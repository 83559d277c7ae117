// Package host is the platform for plain machines: the revisions of a service
// are OS processes side by side behind Fairway's own router.
//
//	Place:  artifact ─► verified by digest ─► working folder ─► processes, each on a free port
//	Route:  ready instances ─► the router's table (weights, fence)
//	Retire: out of the table ─► drained ─► SIGTERM, SIGKILL ─► only spec and logs are left
//	Keep:   crashed after it was ready ─► started again, the table follows
//
// Processes have a session of their own and write their own record, so they
// survive the worker, and the next worker adopts them by pid and start time. All
// that the platform knows lies in its state folder (see state.go) and in the
// router's table; a Platform holds no memory that matters, and two of them on one
// folder agree.
//
// The fence is checked on disk under the target's file lock and again by the
// router, whose check is the compare-and-swap on the object that holds the weights.
//
// The package does not judge, does not build, and does not isolate services from
// each other beyond their processes: they share the machine, its user and its network.
//
//	p, err := host.New(host.Config{StateDir: "/var/lib/fairway/host", Router: client})
//	go p.Keep(ctx)
//	err = p.Place(ctx, lease, target, revision, platform.Capacity{Instances: 2})
package host

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/platform"
	"github.com/fairwayhq/fairway/internal/process"
	"github.com/fairwayhq/fairway/internal/router"
)

// Router is what the platform asks of the router; router.Client has it.
type Router interface {
	// Route returns fault.NotFound for a target that has none.
	Route(ctx context.Context, target string) (router.Route, error)
	// PutRoute returns once requests see the route, and refuses an older fence.
	PutRoute(ctx context.Context, target string, route router.Route) (router.Route, error)
	// Claim writes the fence onto the route, and refuses an older one.
	Claim(ctx context.Context, target string, claim router.Claim) (router.Route, error)
	// DeleteRoute takes a route away and keeps its fence.
	DeleteRoute(ctx context.Context, target string, fence int64) error
	// Inflight returns the requests under way by backend address, also on backends that left the route.
	Inflight(ctx context.Context, target string) (map[string]int64, error)
}

// Config says where and with what the platform works. Only StateDir and Router
// are required.
type Config struct {
	// StateDir is the platform's own folder; it is made if it is not there.
	StateDir string
	Router   Router
	// ExecCommand starts Exec in a process of its own. Default: this program with "host-exec".
	ExecCommand []string
	// Ports is the range that instances get theirs from, the end excluded.
	// Default: from 20000 to where the system's ports for outgoing connections begin.
	Ports [2]int
	// Interval is the time between two looks of Keep. Default 200ms.
	Interval time.Duration
	// LockWait is how long a verb waits for another worker on the same target. Default 15s.
	LockWait time.Duration
	// MaxArtifact and MaxUnpacked bound an artifact in bytes. Default 2 GiB and 8 GiB.
	MaxArtifact, MaxUnpacked int64
	// Client fetches artifacts. Default: one without a time limit of its own.
	Client *http.Client
	Log    *slog.Logger
	Now    func() time.Time
}

// Platform is the host platform. It is safe for concurrent use, also by several processes.
type Platform struct {
	config Config
	probe  *http.Client

	mu         sync.Mutex           // guards what follows, which may be forgotten
	asked      map[string]time.Time // when Keep last asked an instance
	followed   map[platform.Target]followed
	complaints map[platform.Target]string
}

// New opens the state folder.
func New(c Config) (*Platform, error) {
	if c.StateDir == "" || c.Router == nil {
		return nil, fault.Errorf(fault.Invalid, "the host platform needs a state folder and a router")
	}
	if err := os.MkdirAll(c.StateDir, 0o700); err != nil {
		return nil, diskFault(err, c.StateDir)
	}
	// Processes are found by the path of their lock, which the system reports without links.
	dir, err := filepath.Abs(c.StateDir)
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	if err != nil {
		return nil, diskFault(err, c.StateDir)
	}
	c.StateDir = dir
	if err := c.defaults(); err != nil {
		return nil, err
	}
	return &Platform{
		config: c, probe: newProbe(), asked: map[string]time.Time{},
		followed: map[platform.Target]followed{}, complaints: map[platform.Target]string{},
	}, nil
}

func (c *Config) defaults() error {
	if len(c.ExecCommand) == 0 {
		c.ExecCommand = []string{process.Self(), "host-exec"}
	}
	if c.Ports == [2]int{} {
		c.Ports = [2]int{20000, min(ephemeralFrom(), 40000)}
	}
	if c.Ports[0] < 1 || c.Ports[1] > 65536 || c.Ports[0] >= c.Ports[1] {
		return fault.Errorf(fault.Invalid, "the range of ports %d to %d is empty", c.Ports[0], c.Ports[1]).
			WithHint("give the worker a range of free ports for instances")
	}
	setDefault(&c.Interval, 200*time.Millisecond)
	setDefault(&c.LockWait, 15*time.Second)
	setDefault(&c.MaxArtifact, 2<<30)
	setDefault(&c.MaxUnpacked, 8<<30)
	setDefault(&c.Client, &http.Client{})
	setDefault(&c.Log, slog.New(slog.DiscardHandler))
	if c.Now == nil {
		c.Now = time.Now
	}
	return nil
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Observe reads the target from disk, the process table, the instances' own
// answers and the router's table.
func (p *Platform) Observe(ctx context.Context, t platform.Target) (platform.State, error) {
	file, err := p.readTarget(t)
	if err != nil {
		return platform.State{}, err
	}
	route, err := p.route(ctx, t)
	if err != nil {
		return platform.State{}, err
	}
	state := platform.State{Fence: max(file.Fence, route.Fence), Home: route.Home}
	for _, arm := range route.Arms {
		if arm.Weight > 0 {
			if state.Weights == nil {
				state.Weights = platform.Weights{}
			}
			state.Weights[arm.Revision] = arm.Weight
		}
	}
	revisions, err := p.readRevisions(t)
	if err != nil {
		return platform.State{}, err
	}
	for _, f := range revisions {
		if f.Phase == retired {
			continue
		}
		instances, err := p.observeInstances(ctx, t, f)
		if err != nil {
			return platform.State{}, err
		}
		state.Revisions = append(state.Revisions, platform.RevisionState{Revision: f.Revision, Capacity: f.Capacity, Instances: instances})
	}
	return state, nil
}

// observeInstances asks all instances of a revision at the same time.
func (p *Platform) observeInstances(ctx context.Context, t platform.Target, f revisionFile) ([]platform.Instance, error) {
	wanted, surplus, err := p.instances(t, f)
	if err != nil {
		return nil, err
	}
	all := append(wanted, surplus...)
	states, faults := make([]platform.Instance, len(all)), make([]error, len(all))
	var group sync.WaitGroup
	for n, i := range all {
		group.Go(func() { _, states[n], faults[n] = p.inspect(ctx, i) })
	}
	group.Wait()
	return states, errors.Join(faults...)
}

// route returns an empty route for a target that the router does not know.
func (p *Platform) route(ctx context.Context, t platform.Target) (router.Route, error) {
	route, err := p.config.Router.Route(ctx, t.String())
	if err != nil && fault.CodeOf(err) != fault.NotFound {
		return router.Route{}, fault.Errorf(fault.CodeOf(err), "ask the router for %s: %w", t, err)
	}
	return route, nil
}

// claim refuses an old fence and writes a new one, on disk and onto the route.
// The caller holds the target's lock.
func (p *Platform) claim(ctx context.Context, lease platform.Lease, t platform.Target) (router.Route, error) {
	file, err := p.readTarget(t)
	if err != nil {
		return router.Route{}, err
	}
	route, err := p.route(ctx, t)
	if err != nil {
		return router.Route{}, err
	}
	if err := obeyed(lease, t, file, route); err != nil {
		return router.Route{}, err
	}
	if lease.Fence > route.Fence {
		if route, err = p.config.Router.Claim(ctx, t.String(), router.Claim{Fence: lease.Fence, Holder: lease.Holder}); err != nil {
			return router.Route{}, routerFault(err, "claim", lease, t)
		}
	}
	if lease.Fence > file.Fence || file.Holder != lease.Holder {
		file.Fence, file.Holder = lease.Fence, lease.Holder
		return route, p.writeTarget(file)
	}
	return route, nil
}

// obeyed refuses a lease that is older than one the target has obeyed, and one of
// another holder with the same fence: that a server gave it twice happens after its
// database came from a backup, and who was first leads.
func obeyed(lease platform.Lease, t platform.Target, file targetFile, route router.Route) error {
	seen := max(file.Fence, route.Fence)
	holder := file.Holder
	if route.Fence > file.Fence {
		holder = route.Holder
	}
	if lease.Fence < seen || lease.Fence == seen && holder != "" && lease.Holder != holder {
		return platform.Fenced(t, lease.Fence, seen)
	}
	return nil
}

// routerFault speaks of a fence that the router refused as the platform does.
func routerFault(err error, verb string, lease platform.Lease, t platform.Target) error {
	if errors.Is(err, router.ErrFenced) {
		return platform.Fenced(t, lease.Fence, lease.Fence+1) // that much at least
	}
	return fault.Errorf(fault.CodeOf(err), "%s route of %s: %w", verb, t, err)
}

var (
	_ platform.Platform = (*Platform)(nil)
	_ platform.Logger   = (*Platform)(nil)
)
