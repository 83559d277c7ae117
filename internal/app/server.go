// Package app wires the concrete types together: the only place where they meet.
// Each file assembles one process: the server, a worker, the router, the demo.
package app

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/fairwayhq/fairway/internal/api"
	"github.com/fairwayhq/fairway/internal/auth"
	"github.com/fairwayhq/fairway/internal/certificate"
	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/notify"
	"github.com/fairwayhq/fairway/internal/release"
	"github.com/fairwayhq/fairway/internal/store"
	"github.com/fairwayhq/fairway/internal/telemetry"
	"github.com/fairwayhq/fairway/internal/worker"
	"github.com/fairwayhq/fairway/web"
)

// ServerConfig is what a server is started with.
type ServerConfig struct {
	// DataDir holds the database and, with the built-in worker, what the host platform needs.
	DataDir string
	// Database is the URL of a PostgreSQL database, which several servers may share; empty
	// keeps everything in a file in DataDir.
	Database string
	// Listen is the address of the API and the UI.
	Listen string
	// TLS are the certificates to show, and, if it names a CA, from where workers must show theirs.
	TLS certificate.Files
	// NoWorker leaves the built-in worker out.
	NoWorker bool
	// WorkerEnvironments are those whose tasks the built-in worker takes; all if empty.
	WorkerEnvironments []string
	// WorkerParallel is how many stages the built-in worker carries at the same time, and
	// WorkerParallelJobs how many of them may run a command; 0 is the default.
	WorkerParallel, WorkerParallelJobs int
	// OpeningKeyFile has the keys with which the built-in worker opens values of Secrets;
	// empty where it has none.
	OpeningKeyFile string
	// LeaseFor is how long a worker holds a task without a sign of life.
	LeaseFor time.Duration
	// DatabaseWait is how long the server tries to reach a PostgreSQL at its start.
	DatabaseWait time.Duration
	// Drain is how long requests in flight may go on once the server is told to stop; default 10 s.
	Drain time.Duration
	// DriftEvery is how often lanes at rest are looked at for drift; 0 is never.
	DriftEvery time.Duration
	// VerifyEvery is how often the whole ledger is verified; 0 is never.
	VerifyEvery time.Duration
	// Keep is how long samples and events of ended releases are kept.
	Keep release.Retention
	Log  *slog.Logger
	// Out is where the address and the first token are printed.
	Out io.Writer
	// Pprof is an address for profiles; empty serves none.
	Pprof string
	// Ready is called with the server's URL once it answers; may be nil.
	Ready func(url string)
}

// Server runs a server until ctx ends.
func Server(ctx context.Context, c ServerConfig) (err error) {
	if c.Listen == "" { // to the system that would mean every network
		return fault.Errorf(fault.Invalid, "the server has no address to listen on").
			WithHint("for instance --listen 127.0.0.1:7878")
	}
	c.Drain = cmp.Or(c.Drain, 10*time.Second)
	secure, err := c.secure()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(c.DataDir, 0o700); err != nil {
		return fault.Errorf(fault.Invalid, "the data folder %s cannot be made: %w", c.DataDir, err).
			WithHint("choose another with --data-dir")
	}
	st, err := openStore(ctx, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	listener, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return fault.Errorf(fault.Unavailable, "the server cannot listen on %s: %w", c.Listen, err).
			WithHint("another process has the address; stop it or choose another with --listen")
	}
	clock, err := c.openClock(ctx, st)
	if err != nil {
		return err
	}
	traces, stopTraces, err := tracing(ctx, c.Log)
	if err != nil {
		return err
	}
	defer stopTraces()

	measured, transitions := telemetry.NewStore(), telemetry.NewTransitions()
	d := drive.New(drive.Config{
		Store: measured.Drive(seamOfDrive(st.Drive())), Now: clock.Now, Deliver: notify.NewWebhook().Deliver, Log: c.Log,
		LeaseFor: c.LeaseFor, Moved: transitions.Moved,
	})
	identities := auth.New(st.Auth())
	identities.Now = clock.Now
	desk := openDesk(st, clock.Now)
	control := release.New(release.Config{Store: measured.Release(seamOfRelease(st.Release())), Drive: d, Inquirer: desk, Now: clock.Now})
	house := newHousekeeping(control, c.Log, chores{measured.Drive(st.Drive()), clock.Now})
	closing := make(chan struct{})
	handler := api.New(api.Config{
		Releases: control, Auth: identities, Drive: d, Desk: desk, UI: web.Handler(), Version: Version(), Now: clock.Now,
		Log: c.Log, Wrap: traces, Closing: closing, WorkerCertificates: c.TLS.CA != "",
		Collectors: append(house.collectors(), measured, transitions, clockGauge(clock)),
	})
	url := "http://" + listener.Addr().String()
	if secure != nil {
		url = "https://" + listener.Addr().String()
		listener = tls.NewListener(listener, secure)
	}
	if err := c.reach(ctx, func() error { return firstToken(ctx, c, identities) }); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(c.Out, "Fairway listens on %s\n", url); err != nil {
		return err
	}

	ctx, stop := context.WithCancel(ctx)
	defer stop()
	if err := c.reach(ctx, func() error { return st.Join(ctx, d.CatchUp) }); err != nil {
		return err
	}
	parts := group{stop: stop}
	c.keepTime(ctx, &parts, st, clock, d)
	parts.run("others", func() error { hearOthers(ctx, st, d, desk); return nil })
	parts.run("drift", func() error { lookForDrift(ctx, c.DriftEvery, mine(st, clock), control, c.Log); return nil })
	parts.run("housekeeping", func() error { house.run(ctx, c.VerifyEvery, c.Keep); return nil })
	parts.run("persons", func() error { lookForPersons(ctx, control, c.Log); return nil })
	parts.run("drive", func() error { return d.Run(ctx) })
	if !c.NoWorker {
		host, err := c.runWorker(ctx, &parts, clock, d, desk)
		if err != nil {
			return err
		}
		defer host.clusters.Close()
	}
	if c.Pprof != "" {
		if err := serveProfiles(ctx, c.Pprof, &parts); err != nil {
			return err
		}
	}
	srv := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(c.Log.Handler(), slog.LevelWarn)}
	parts.run("api", func() error { return ignoreClosed(srv.Serve(listener)) })
	parts.run("shutdown", func() error {
		<-ctx.Done()
		close(closing)
		return drain(context.WithoutCancel(ctx), srv, c)
	})
	c.Log.Info("The server is ready.", "url", url, "version", Version())
	if c.Ready != nil {
		c.Ready(url)
	}
	return parts.wait()
}

// runWorker runs the built-in worker. The caller closes its connections to clusters.
func (c ServerConfig) runWorker(ctx context.Context, parts *group, clock *clock, d *drive.Drive, desk desk) (*hostParts, error) {
	host, err := newHost(hostConfig{dataDir: c.DataDir, log: c.Log, clock: clock, keyFile: c.OpeningKeyFile})
	if err != nil {
		return nil, err
	}
	parts.run("router", func() error { return host.keepRouter(ctx) })
	parts.run("keeper", func() error { host.platform.Keep(ctx); return nil })
	name := "built-in"
	if c.Database != "" { // other servers have one too
		if machine, err := os.Hostname(); err == nil {
			name += "@" + machine
		}
	}
	w := worker.New(worker.Config{
		Name: name, Environments: c.WorkerEnvironments, Server: d, Executors: host.executors(), Log: c.Log,
		Desk: desk, Respond: host.respondent(name).Respond, Now: clock.Now,
		Parallel: c.WorkerParallel, ParallelJobs: c.WorkerParallelJobs,
	})
	parts.run("worker", func() error { return w.Run(ctx) })
	return host, nil
}

// keepTime lets the clock follow the store's, or this machine's. Where no other server can
// have been there while this machine stood still, nobody suffers from that.
func (c ServerConfig) keepTime(ctx context.Context, parts *group, st store.Store, clock *clock, d *drive.Drive) {
	jumped := func(now time.Time) error { return d.StoodStill(ctx, now) }
	if c.Database != "" {
		// Either this machine stood still, or its clock was set: the database knows.
		jumped = func(time.Time) error {
			if err := clock.ask(ctx, st.Ahead); err != nil {
				return err
			}
			return d.Returned(ctx, clock.wall())
		}
		parts.run("shared clock", func() error { clock.keepShared(ctx, st.Ahead); return nil })
	}
	parts.run("clock", func() error { watchClock(ctx, clock, jumped); return nil })
}

// drain lets the requests in flight finish: reports of workers are taken in, streams have
// been told to end, and nobody gets a new task (see drive.Lease).
func drain(ctx context.Context, srv *http.Server, c ServerConfig) error {
	c.Log.Info("The server is stopping.", "drain", c.Drain)
	grace, cancel := context.WithTimeout(ctx, c.Drain)
	defer cancel()
	err := srv.Shutdown(grace)
	if errors.Is(err, context.DeadlineExceeded) {
		c.Log.Warn("Requests in flight were broken off.", "after", c.Drain)
		err = srv.Close()
	}
	return ignoreClosed(err)
}

// secure is how the server speaks TLS; nil where it does not.
func (c ServerConfig) secure() (*tls.Config, error) {
	if c.TLS == (certificate.Files{}) {
		return nil, nil
	}
	return certificate.Server(c.TLS, func(err error) {
		c.Log.Warn("Changed certificates are not used.", "error", err)
	})
}

func ignoreClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// group runs the parts of a process: when one ends with an error, all are stopped.
type group struct {
	stop context.CancelFunc
	all  sync.WaitGroup
	mu   sync.Mutex
	errs []error
}

func (g *group) run(name string, f func() error) {
	g.all.Add(1)
	go func() {
		defer g.all.Done()
		if err := f(); err != nil {
			g.mu.Lock()
			g.errs = append(g.errs, fmt.Errorf("%s: %w", name, err))
			g.mu.Unlock()
			g.stop()
		}
	}()
}

func (g *group) wait() error {
	g.all.Wait()
	return errors.Join(g.errs...)
}
