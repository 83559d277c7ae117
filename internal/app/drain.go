package app

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// drain tells who asks for it that the server stops, and takes connections meanwhile. Then
// it lets the requests in flight finish: reports of workers are taken in, streams have
// been told to end, and nobody gets a new task (see drive.Lease).
func (s *server) drain(ctx context.Context, srv *http.Server) error {
	announce := min(s.Announce, s.Drain/2)
	s.Log.Info("The server is stopping.", "announce", announce, "drain", s.Drain)
	grace, cancel := context.WithTimeout(ctx, s.Drain)
	defer cancel()
	close(s.closing)
	announced := time.NewTimer(announce)
	defer announced.Stop()
	<-announced.C
	err := srv.Shutdown(grace)
	if errors.Is(err, context.DeadlineExceeded) {
		s.Log.Warn("Requests in flight were broken off.", "after", s.Drain)
		err = srv.Close()
	}
	return ignoreClosed(err)
}

// partFrom asks who is answered meanwhile to leave the connection, so that who comes back may be
// led elsewhere. To close idle ones at once would cut requests that are just being sent.
func (s *server) partFrom(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-s.closing:
			w.Header().Set("Connection", "close")
		default:
		}
		h.ServeHTTP(w, r)
	})
}

func ignoreClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
