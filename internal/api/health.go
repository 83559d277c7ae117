package api

import (
	"context"
	"errors"
	"net/http"
	"time"
)

var errNoFigures = errors.New("the figures cannot be read; the server's log says why")

// beatLimit is how long the loop that wakes releases may be silent.
const beatLimit = 15 * time.Second

// healthz says that the process answers.
func (s *server) healthz(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("ok\n"))
}

// readyz says that the store answers, that releases are being woken, and that the server
// is not about to stop.
func (s *server) readyz(w http.ResponseWriter, r *http.Request) {
	select {
	case <-s.Closing:
		writeProblem(w, newProblem(http.StatusServiceUnavailable, "the server is stopping", "ask another one, or this one when it is back"))
		return
	default:
	}
	ctx, cancel := context.WithTimeout(r.Context(), 3*time.Second)
	defer cancel()
	if err := s.Releases.Ready(ctx); err != nil {
		s.Log.ErrorContext(ctx, "The store does not answer.", "error", err)
		writeProblem(w, newProblem(http.StatusServiceUnavailable, "the store does not answer", "the server's log says why"))
		return
	}
	// The loop beats by the system's clock, whatever clock releases go by.
	if at := s.Drive.Alive(); !s.ReadOnly && time.Since(at) > beatLimit {
		writeProblem(w, newProblem(http.StatusServiceUnavailable, "releases are not being woken", "the server's log says why; restart it"))
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("ready\n"))
}
