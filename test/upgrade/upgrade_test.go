// Package upgrade brings releases to their end that earlier versions of Fairway have left in
// the middle. Each folder in testdata is a recording of one version, made by record: the
// database and the router's table at the instant at which its server was killed.
//
//	ls testdata
//	go run ./record -help
//
// The tables are brought up to date, and today's drive and worker go on. In the place of the
// platform that is gone there is one in memory, with the traffic that the router had; time
// passes as fast as it can.
package upgrade

import (
	"context"
	"log/slog"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairwayhq/fairway/internal/auth"
	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/release"
	"github.com/fairwayhq/fairway/internal/store"
	"github.com/fairwayhq/fairway/internal/worker"
)

// ending is how a recorded release must end, and which version is at home then.
type ending struct {
	state pipeline.RunState
	home  string
	in    map[string]string // the same by region, where they differ
}

var (
	released = ending{state: pipeline.RunSucceeded, home: "v2"}
	takenIn  = ending{state: pipeline.RunRolledBack, home: "v1"}
	kept     = ending{state: pipeline.RunRolledBack, in: map[string]string{"eu": "v2", "us": "v1"}}
)

// decision is what people do to a recorded release once the new version runs.
type decision func(ctx context.Context, c *release.Control, ref string) error

var consent = map[string]decision{"approval": approve, "asks": approve, "paused": goOn}

var refuse = map[string]decision{"approval": reject, "asks": reject, "paused": goOn}

func approve(ctx context.Context, c *release.Control, ref string) error {
	return c.Approve(ctx, rita, ref, release.Approval{})
}

func reject(ctx context.Context, c *release.Control, ref string) error {
	return c.Reject(ctx, rita, ref, release.Approval{})
}

func goOn(ctx context.Context, c *release.Control, ref string) error {
	return c.Resume(ctx, rita, ref, release.Action{})
}

var rita = auth.Identity{User: "rita", Roles: []auth.Role{auth.ReleaseManager}}

// outcome is how the recorded releases end with a new version that is as good, or as bad, as that.
type outcome struct {
	decide map[string]decision
	errors float64 // of the new version
	ends   map[string]ending
}

var outcomes = map[string]outcome{
	"a good version": {consent, 0.002, map[string]ending{
		"canary": released, "watch": released, "paused": released, "approval": released, "undo": takenIn,
		"leads": released, "returns": takenIn, "bakes": released, "asks": kept,
		"works": released,
	}},
	"a bad version": {refuse, 0.4, map[string]ending{
		"canary": takenIn, "watch": takenIn, "paused": takenIn, "approval": {state: pipeline.RunFailed, home: "v1"}, "undo": takenIn,
		"leads": takenIn, "returns": takenIn, "bakes": takenIn, "asks": takenIn,
		"works": takenIn,
	}},
}

func TestWhatEarlierVersionsLeftEndsAsItShould(t *testing.T) {
	names := recordings(t)
	newest := names[len(names)-1]
	for _, name := range names {
		for version, o := range outcomes {
			t.Run(name+"/"+version, func(t *testing.T) {
				t.Parallel()
				r, least := recordingOf(t, name), 5
				if name == newest {
					least = len(o.ends)
				}
				synctest.Test(t, func(t *testing.T) {
					st, err := store.Open(t.Context(), store.Config{Path: r.database})
					if err != nil {
						t.Fatal(err)
					}
					o.comesTrue(t, st, r.table, least)
				})
			})
		}
	}
}

// comesTrue goes on with the recorded releases, of which there are at least so many, up to their ends.
func (o outcome) comesTrue(t *testing.T, st tables, table string, least int) {
	t.Helper()
	p := resume(t, st, table, o.errors)
	left := p.left(t)
	if len(left) < least {
		t.Errorf("only the releases of %q are in the middle", left)
	}
	for _, service := range left {
		if decide := o.decide[service]; decide != nil {
			if err := decide(t.Context(), p.control, service+"@v2"); err != nil {
				t.Error(err)
			}
		}
	}
	for _, service := range left {
		p.ends(t, service, o.ends[service])
	}
}

// process is today's server with its worker, on a recorded database.
type process struct {
	control *release.Control
	world   *world
}

// resume starts them a minute after the recorded server was killed, and closes the store at the end.
func resume(t *testing.T, st tables, table string, errors float64) *process {
	ctx, stop := context.WithCancel(context.Background())
	began, killed := time.Now(), lastLine(t, st)
	now := func() time.Time { return killed.Add(time.Minute + time.Since(began)) }
	log := slog.New(slog.DiscardHandler)
	if testing.Verbose() {
		log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	d := drive.New(drive.Config{Store: st.Drive(), Now: now, Log: log})
	if err := d.CatchUp(ctx); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, st, table, now, errors)
	hands := worker.New(worker.Config{Name: "today", Server: d, Executors: w.executors(), Log: log})
	ended := make(chan error, 2)
	go func() { ended <- d.Run(ctx) }()
	go func() { ended <- hands.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		for range 2 {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return &process{control: release.New(release.Config{Store: st.Release(), Drive: d, Now: now}), world: w}
}

// left are the services that have their release, or one that they lead, in the middle.
func (p *process) left(t *testing.T) (services []string) {
	t.Helper()
	all, _, err := p.control.List(t.Context(), release.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range all {
		if r.Version == "v2" {
			services = append(services, r.Service)
		}
	}
	return services
}

// ends waits for the end of the service's second release and compares it, for all its services.
func (p *process) ends(t *testing.T, service string, want ending) {
	t.Helper()
	ref, limit := service+"@v2", time.Now().Add(2*time.Hour)
	var last release.Detail
	for {
		d, err := p.control.Get(t.Context(), rita, ref)
		if err != nil {
			t.Fatal(err)
		}
		if last = d; d.Run.State.Final() || time.Now().After(limit) {
			break
		}
		time.Sleep(time.Second) // of the test's own time
	}
	if last.Run.State != want.state {
		t.Errorf("%s ended %s, not %s: %s", ref, last.Run.State, want.state, last.Run.Environments[0].Reason)
	}
	if v, err := p.control.Verify(t.Context(), ref); err != nil || v.Broken != "" {
		t.Errorf("the chain of %s: %v, %s", ref, err, v.Broken)
	}
	for i := range last.Run.Plan.Environments {
		target := drive.TargetOf(last.Run.Plan, last.Run.Plan.Environments[i].Name)
		wantHome := want.home
		if in, ok := want.in[target.Region]; ok {
			wantHome = in
		}
		if home := p.world.home(target); home != wantHome {
			t.Errorf("%s of %s is at home, not %s", home, target, wantHome)
		}
		if left := p.world.placed(target); left != 1 {
			t.Errorf("%d versions of %s are left", left, target)
		}
	}
}
