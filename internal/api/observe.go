package api

import (
	"context"
	"fmt"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
)

// observation is what is learnt about a request on its way.
type observation struct {
	user string
	tls  bool
}

type observationKey struct{}

func observed(ctx context.Context) *observation {
	if o, ok := ctx.Value(observationKey{}).(*observation); ok {
		return o
	}
	return &observation{}
}

// observe counts and logs requests, and turns a panic into a problem.
func (s *server) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		o := &observation{tls: r.TLS != nil}
		r = r.WithContext(context.WithValue(r.Context(), observationKey{}, o))
		rec := &recorder{ResponseWriter: w}
		defer func() {
			if v := recover(); v != nil {
				if v == http.ErrAbortHandler { //nolint:errorlint // a value that was panicked with is not wrapped
					panic(v)
				}
				s.Log.ErrorContext(r.Context(), "A request panicked.", "error", fmt.Sprint(v), "stack", string(debug.Stack()))
				if rec.status == 0 {
					writeProblem(rec, problemOf(fault.Errorf(fault.Internal, "panic")))
				}
			}
			took := time.Since(began)
			route := s.routeOf(r)
			s.metrics.request(route, strconv.Itoa(rec.code()), took)
			s.Log.DebugContext(r.Context(), "Answered a request.", "method", r.Method, "path", r.URL.Path,
				"status", rec.code(), "bytes", rec.bytes, "took", took, "user", o.user)
		}()
		next.ServeHTTP(rec, r)
	})
}

// routeOf names the route for metrics; the UI's files count as one.
func (s *server) routeOf(r *http.Request) string {
	_, pattern := s.mux.Handler(r)
	if _, path, ok := strings.Cut(pattern, " "); ok {
		return r.Method + " " + path
	}
	if pattern == "" {
		return "none"
	}
	return pattern
}

// recorder notes what was answered.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	n, err := r.ResponseWriter.Write(b)
	r.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

func (r *recorder) code() int {
	if r.status == 0 {
		return http.StatusOK
	}
	return r.status
}
