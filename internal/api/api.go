// Package api is the HTTP edge: it decodes and checks a request, finds out who
// asks, calls a use case of package release, and encodes the answer. No rule about
// releases lives here.
//
// Routes and wire types are named in package client; the OpenAPI document is
// generated from the same types, so it cannot differ from what is served. There is
// one file per resource.
//
//	handler := api.New(api.Config{Releases: control, Auth: auth, Drive: drive, UI: web.Handler()})
//
// A request passes, from outside to inside:
//
//	observe ─► secure headers ─► body limit ─► identify (token or session, CSRF) ─► route
package api

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/fairwayhq/fairway/internal/release"
	"github.com/fairwayhq/fairway/internal/stage"
)

// Drive is what the API needs of package drive.
type Drive interface {
	// Changed gives a signal after commits, for live streams.
	Changed() (changed <-chan struct{}, stop func())
	// Alive tells when the loop last looked.
	Alive() time.Time
	Workers
}

// Workers hands tasks out to workers and takes their reports.
type Workers interface {
	Lease(ctx context.Context, ask stage.LeaseAsk) ([]stage.Task, error)
	Report(ctx context.Context, r stage.Report) (stage.Reply, error)
	Signs(ctx context.Context, signs stage.Signs) ([]stage.Reply, error)
}

// Config wires the API.
type Config struct {
	Releases *release.Control
	Auth     Auth
	Drive    Drive
	Desk     Desk
	// UI serves everything that is not the API's; nil leaves it out.
	UI http.Handler
	// Version is the build's, for the OpenAPI document and the metrics.
	Version string
	// Now is the clock; nil means the system's.
	Now func() time.Time
	Log *slog.Logger
	// Wrap is put around every request, for instance for traces; nil does nothing.
	Wrap func(http.Handler) http.Handler
	// SecureCookies marks the session cookie Secure also where TLS ends before this process.
	SecureCookies bool
	// WorkerCertificates demands a client certificate of workers. That it is from a known
	// authority has been seen to when the connection was made.
	WorkerCertificates bool
	// ReadOnly refuses all changes but logging in and out.
	ReadOnly bool
	// Closing ends live streams when it is closed, so that a shutdown need not wait for them.
	Closing <-chan struct{}
	// Collectors are more metrics to expose.
	Collectors []prometheus.Collector
	// Heartbeat is how often a silent stream says that it lives; default 15 s.
	Heartbeat time.Duration
	// Patience is how long a stream's reader may take to take what it is sent
	// before it is dropped; default 10 s. It comes back with the last ID that it
	// got, and misses nothing.
	Patience time.Duration
}

// server is the API with everything that its handlers need.
type server struct {
	Config
	mux     *http.ServeMux
	metrics *metrics
}

// New returns the handler of the whole API, and of the UI under it.
func New(c Config) http.Handler {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Heartbeat == 0 {
		c.Heartbeat = 15 * time.Second
	}
	if c.Patience == 0 {
		c.Patience = 10 * time.Second
	}
	s := &server{Config: c, mux: http.NewServeMux()}
	s.metrics = newMetrics(s)
	s.register(humago.New(s.mux, humaConfig(c.Version)))
	s.registerPlain()
	var h http.Handler = s.mux
	if c.ReadOnly {
		h = refuseChanges(h)
	}
	h = s.identify(h)
	h = limitBodies(h)
	h = secureHeaders(h)
	h = s.observe(h)
	if c.Wrap != nil {
		h = c.Wrap(h)
	}
	return h
}

// register adds every documented route.
func (s *server) register(a huma.API) {
	s.registerSession(a)
	s.registerServices(a)
	s.registerReleases(a)
	s.registerActions(a)
	s.registerEvents(a)
	s.registerPoints(a)
	s.registerSamples(a)
	s.registerDrills(a)
	s.registerLive(a)
	s.registerEvidence(a)
	s.registerFreezes(a)
	s.registerUsers(a)
	s.registerTokens(a)
	s.registerWorker(a)
	s.registerInquiries(a)
}

// registerPlain adds what is not part of the documented API.
func (s *server) registerPlain() {
	document := OpenAPI()
	s.mux.HandleFunc("GET /openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/openapi+json")
		_, _ = w.Write(document)
	})
	s.mux.HandleFunc("GET /healthz", s.healthz)
	s.mux.HandleFunc("GET /readyz", s.readyz)
	s.mux.Handle("GET /metrics", s.metrics.handler())
	s.mux.HandleFunc("/v1/", s.noRoute)
	if s.UI != nil {
		s.mux.Handle("/", s.UI)
	}
}

// noRoute says that there is nothing, or that the method is another one.
func (s *server) noRoute(w http.ResponseWriter, r *http.Request) {
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
		probe := r.Clone(r.Context())
		probe.Method = method
		if _, pattern := s.mux.Handler(probe); pattern != "/v1/" {
			w.Header().Add("Allow", method)
		}
	}
	if w.Header().Get("Allow") != "" {
		writeProblem(w, newProblem(http.StatusMethodNotAllowed, r.Method+" is not possible here", "the Allow header says what is"))
		return
	}
	writeProblem(w, newProblem(http.StatusNotFound, "there is no route "+r.URL.Path, "/openapi.json lists all routes"))
}

// route registers a handler whose errors become problems.
func route[I, O any](s *server, a huma.API, op huma.Operation, f func(context.Context, *I) (*O, error)) {
	huma.Register(a, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := f(ctx, in)
		if err != nil {
			return nil, fail(ctx, s.Log, err)
		}
		return out, nil
	})
}

// answer is an answer with a body.
type answer[T any] struct{ Body T }

func answered[T any](v T, err error) (*answer[T], error) {
	if err != nil {
		return nil, err
	}
	return &answer[T]{Body: v}, nil
}

// done is an answer without a body.
type done struct{}
