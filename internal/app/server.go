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
	"sync/atomic"
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
	// ReadOnly only shows what the database has: nothing acts by itself, and the API
	// refuses changes. It is for a copy, whose releases are another server's.
	ReadOnly bool
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
	// Announce is the part of Drain, at most half of it, in which /readyz says that the server
	// stops while it still takes connections, so that a balancer hears of it.
	Announce time.Duration
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
	defer listener.Close()
	clock, err := c.openClock(ctx, st)
	if err != nil {
		return err
	}
	traces, stopTraces, err := tracing(ctx, c.Log)
	if err != nil {
		return err
	}
	defer stopTraces()
	s := c.assemble(st, clock, traces)
	url := "http://" + listener.Addr().String()
	if secure != nil {
		url = "https://" + listener.Addr().String()
		listener = tls.NewListener(listener, secure)
	}
	if err := s.introduce(ctx, url); err != nil {
		return err
	}
	return s.run(ctx, listener, url)
}

// server is a server's rooms, wired together.
type server struct {
	ServerConfig
	store      store.Store
	clock      *clock
	drive      *drive.Drive
	desk       desk
	control    *release.Control
	identities *auth.Service
	house      *housekeeping
	handler    http.Handler
	// closing is closed when the server has been told to stop.
	closing chan struct{}
	parts   group
	// inside is the built-in worker, once it runs.
	inside atomic.Pointer[worker.Worker]
}

// assemble wires the rooms together. Nothing runs yet.
func (c ServerConfig) assemble(st store.Store, clock *clock, traces func(http.Handler) http.Handler) *server {
	s := &server{ServerConfig: c, store: st, clock: clock, closing: make(chan struct{}), desk: openDesk(st, clock.Now)}
	measured, transitions := telemetry.NewStore(), telemetry.NewTransitions()
	ofDrive, ofRelease := measured.Drive(seamOfDrive(st.Drive())), measured.Release(seamOfRelease(st.Release()))
	if c.ReadOnly {
		ofDrive, ofRelease = shownDrive{ofDrive}, shownRelease{ofRelease}
	}
	s.drive = drive.New(drive.Config{
		Store: ofDrive, Now: clock.Now, Deliver: notify.NewWebhook().Deliver, Log: c.Log,
		LeaseFor: c.LeaseFor, Moved: transitions.Moved,
	})
	s.identities = auth.New(st.Auth())
	s.identities.Now = clock.Now
	s.control = release.New(release.Config{Store: ofRelease, Drive: s.drive, Inquirer: s.desk, Now: clock.Now})
	s.house = newHousekeeping(s.control, c.Log, rota{measured.Drive(st.Drive()), clock.Now})
	collectors := append(s.house.collectors(), measured, transitions, clockGauge(clock))
	if !c.ReadOnly && !c.NoWorker {
		collectors = append(collectors, telemetry.Places(s.free)...)
	}
	s.handler = api.New(api.Config{
		Releases: s.control, Auth: s.identities, Drive: s.drive, Desk: s.desk, UI: web.Handler(), Version: Version(), Now: clock.Now,
		Log: c.Log, Wrap: traces, Closing: s.closing, WorkerCertificates: c.TLS.CA != "", ReadOnly: c.ReadOnly,
		Collectors: collectors,
	})
	return s
}

// introduce prints the first token, where one is wanted, and the address.
func (s *server) introduce(ctx context.Context, url string) error {
	says := "Fairway listens on %s\n"
	if s.ReadOnly {
		says = "Fairway only shows what the database has, and listens on %s\n"
	} else if err := s.reach(ctx, func() error { return firstToken(ctx, s.ServerConfig, s.identities) }); err != nil {
		return err
	}
	_, err := fmt.Fprintf(s.Out, says, url)
	return err
}

// run runs the parts until ctx ends, and returns when all have ended.
func (s *server) run(ctx context.Context, listener net.Listener, url string) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	s.parts.stop = stop
	if err := s.begin(ctx, listener); err != nil {
		stop()
		return errors.Join(err, s.parts.wait())
	}
	s.Log.Info("The server is ready.", "url", url, "version", Version())
	if s.Ready != nil {
		s.Ready(url)
	}
	return s.parts.wait()
}

// begin starts the parts. Where it fails, some of them may run.
func (s *server) begin(ctx context.Context, listener net.Listener) error {
	if !s.ReadOnly {
		if err := s.reach(ctx, func() error { return s.store.Join(ctx, s.drive.CatchUp) }); err != nil {
			return err
		}
	}
	s.keepTime(ctx)
	s.parts.run("others", func() error { hearOthers(ctx, s.store, s.drive, s.desk); return nil })
	if !s.ReadOnly {
		if err := s.act(ctx); err != nil {
			return err
		}
	}
	if s.Pprof != "" {
		if err := serveProfiles(ctx, s.Pprof, &s.parts); err != nil {
			return err
		}
	}
	srv := &http.Server{Handler: s.partFrom(s.handler), ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(s.Log.Handler(), slog.LevelWarn)}
	s.parts.run("api", func() error { return ignoreClosed(srv.Serve(listener)) })
	s.parts.run("shutdown", func() error {
		<-ctx.Done()
		return s.drain(context.WithoutCancel(ctx), srv)
	})
	return nil
}

// act starts what changes anything by itself.
func (s *server) act(ctx context.Context) error {
	s.parts.run("drift", func() error {
		lookForDrift(ctx, s.DriftEvery, rota{s.store.Drive(), s.clock.Now}, s.control, s.Log)
		return nil
	})
	s.parts.run("housekeeping", func() error { s.house.run(ctx, s.VerifyEvery, s.Keep); return nil })
	s.parts.run("persons", func() error { lookForPersons(ctx, s.control, s.Log); return nil })
	s.parts.run("drive", func() error { return s.drive.Run(ctx) })
	if s.NoWorker {
		return nil
	}
	return s.runWorker(ctx)
}

// keepTime lets the clock follow the store's, or this machine's. Where no other server can
// have been there while this machine stood still, nobody suffers from that.
func (s *server) keepTime(ctx context.Context) {
	jumped := func(now time.Time) error { return s.drive.StoodStill(ctx, now) }
	if s.Database != "" {
		// Either this machine stood still, or its clock was set: the database knows.
		jumped = func(time.Time) error {
			if err := s.clock.ask(ctx, s.store.Ahead); err != nil {
				return err
			}
			return s.drive.Returned(ctx, s.clock.wall())
		}
		s.parts.run("shared clock", func() error { s.clock.keepShared(ctx, s.store.Ahead); return nil })
	}
	if s.ReadOnly { // nothing is made up for
		jumped = func(time.Time) error { return nil }
	}
	s.parts.run("clock", func() error { watchClock(ctx, s.clock, jumped); return nil })
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
