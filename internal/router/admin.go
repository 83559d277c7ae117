package router

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/fairwayhq/fairway/internal/fault"
)

// admin is the HTTP API on the unix socket. A target is one segment of the
// path: its slashes are escaped.
type admin struct {
	registry *registry
	tally    *tally
	follower *follower
	// health says what is not as it should be; empty when all is well.
	health func() []string
	// handing says whether another process is about to answer in place of this one.
	handing func() bool
}

func (a admin) handler() http.Handler {
	reg := prometheus.NewRegistry()
	reg.MustRegister(collector{a.tally})
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{EnableOpenMetrics: true}))
	for pattern, h := range map[string]func(*http.Request) (any, error){
		"GET /table":                                    a.getTable,
		"GET /routes/{target}":                          a.getRoute,
		"PUT /routes/{target}":                          a.settled(a.putRoute),
		"DELETE /routes/{target}":                       a.settled(a.deleteRoute),
		"PUT /routes/{target}/fence":                    a.putFence,
		"PUT /routes/{target}/arms/{revision}/backends": a.settled(a.putBackends),
		"GET /routes/{target}/inflight":                 a.getInflight,
		"GET /counters":                                 a.getCounters,
		"GET /healthz":                                  a.getHealth,
	} {
		mux.Handle(pattern, reply(h))
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a.handing() {
			fail(w, errHanding)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// errHanding is the answer of a process that is being taken over from. It answers
// nothing more, not even its counters, so that nobody sees them go backwards.
var errHanding = fault.Errorf(fault.Unavailable, "the router is being handed over").
	WithHint("ask again; the new process answers in a moment")

// settled answers a change when all processes that serve go by it.
func (a admin) settled(change func(*http.Request) (any, error)) func(*http.Request) (any, error) {
	return func(r *http.Request) (any, error) {
		answer, err := change(r)
		if err == nil {
			a.follower.await(r.Context(), a.registry.serial())
		}
		return answer, err
	}
}

// Claim is a fence with its holder.
type Claim struct {
	Fence  int64  `json:"fence"`
	Holder string `json:"holder,omitempty"`
}

// Health is what GET /healthz answers. The router serves in either case.
type Health struct {
	OK bool `json:"ok"`
	// PID is the process that serves now.
	PID      int      `json:"pid"`
	Warnings []string `json:"warnings,omitempty"`
}

func (a admin) getTable(*http.Request) (any, error) { return a.registry.Table(), nil }

func (a admin) getRoute(r *http.Request) (any, error) {
	return a.registry.Route(r.PathValue("target"))
}

func (a admin) putRoute(r *http.Request) (any, error) {
	var route Route
	if err := decode(r, &route); err != nil {
		return nil, err
	}
	return a.registry.Put(r.PathValue("target"), route)
}

func (a admin) deleteRoute(r *http.Request) (any, error) {
	fence, err := strconv.ParseInt(r.URL.Query().Get("fence"), 10, 64)
	if err != nil {
		return nil, fault.Errorf(fault.Invalid, "the fence is missing or not a number").WithHint("add ?fence=N")
	}
	return struct{}{}, a.registry.Delete(r.PathValue("target"), fence)
}

func (a admin) putFence(r *http.Request) (any, error) {
	var c Claim
	if err := decode(r, &c); err != nil {
		return nil, err
	}
	return a.registry.Claim(r.PathValue("target"), c.Fence, c.Holder)
}

func (a admin) putBackends(r *http.Request) (any, error) {
	var b BackendsUpdate
	if err := decode(r, &b); err != nil {
		return nil, err
	}
	return a.registry.PutBackends(r.PathValue("target"), r.PathValue("revision"), b)
}

func (a admin) getInflight(r *http.Request) (any, error) {
	all := a.tally.inflight(r.PathValue("target"))
	if b := r.URL.Query().Get("backend"); b != "" {
		return map[string]int64{b: all[b]}, nil
	}
	return all, nil
}

func (a admin) getCounters(*http.Request) (any, error) { return a.tally.snapshot(time.Now()), nil }

func (a admin) getHealth(*http.Request) (any, error) {
	w := a.health()
	return Health{OK: len(w) == 0, PID: os.Getpid(), Warnings: w}, nil
}

// problem is an error on the wire (RFC 9457).
type problem struct {
	Type   string `json:"type,omitempty"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Hint   string `json:"hint,omitempty"`
}

const (
	typeFenced  = "urn:fairway:fenced"
	typeHanding = "urn:fairway:handing-over"
)

var statusOf = map[fault.Code]int{
	fault.Invalid:     http.StatusUnprocessableEntity,
	fault.NotFound:    http.StatusNotFound,
	fault.Conflict:    http.StatusConflict,
	fault.Denied:      http.StatusForbidden,
	fault.Unavailable: http.StatusServiceUnavailable,
	fault.Internal:    http.StatusInternalServerError,
}

func reply(h func(*http.Request) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, err := h(r)
		if err != nil {
			fail(w, err)
			return
		}
		write(w, "application/json", http.StatusOK, answer)
	})
}

func fail(w http.ResponseWriter, err error) {
	code := fault.CodeOf(err)
	p := problem{Title: string(code), Status: statusOf[code], Detail: fault.MessageOf(err), Hint: fault.HintOf(err)}
	switch {
	case errors.Is(err, ErrFenced):
		p.Type = typeFenced
	case errors.Is(err, errHanding):
		p.Type = typeHanding
	}
	write(w, "application/problem+json", p.Status, p)
}

func write(w http.ResponseWriter, contentType string, status int, v any) {
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	// What fails here is the caller's connection; the caller sees it.
	_ = json.NewEncoder(w).Encode(v)
}

func decode(r *http.Request, into any) error {
	dec := json.NewDecoder(http.MaxBytesReader(nil, r.Body, 16<<20))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return fault.Errorf(fault.Invalid, "read the request: %w", err)
	}
	return nil
}
