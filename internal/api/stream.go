package api

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

const (
	// streamLife is how long a stream lasts before the reader has to ask again, and
	// so to show again who it is.
	streamLife = 15 * time.Minute
	// breath is the least time between two looks for news.
	breath = 100 * time.Millisecond
	// streamPage is how much is read at once.
	streamPage = 500
)

// streamed are the routes that stay open.
var streamed = map[string]bool{"GET /v1/events": true, "GET /v1/releases/{release}/live": true}

// stream writes server-sent events to one reader. The first error ends it.
type stream struct {
	w   http.ResponseWriter
	ctl *http.ResponseController
	// patience is how long one write may take.
	patience time.Duration
	err      error
	data     bytes.Buffer
}

// news tells a stream what is new since it last told; the first time, everything
// after the cursor.
type news func(ctx context.Context, out *stream) error

// follow answers with a stream that tells the news at once and after every commit,
// until the reader goes, the server closes, or the stream's life is over.
func (s *server) follow(tell news) *huma.StreamResponse {
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		r, w := humago.Unwrap(hc)
		out := &stream{w: w, ctl: http.NewResponseController(w), patience: s.Patience}
		h := w.Header()
		h.Set("Content-Type", "text/event-stream")
		h.Set("X-Accel-Buffering", "no")
		w.WriteHeader(http.StatusOK)
		s.metrics.streams.Inc()
		defer s.metrics.streams.Dec()
		out.raw("retry: 1000\n\n")
		s.pump(r.Context(), out, tell)
	}}
}

// pump tells the news until something ends it.
func (s *server) pump(ctx context.Context, out *stream, tell news) {
	changed, stop := s.Drive.Changed()
	defer stop()
	life := time.NewTimer(streamLife)
	defer life.Stop()
	heartbeat := time.NewTicker(s.Heartbeat)
	defer heartbeat.Stop()
	for out.err == nil {
		if err := tell(ctx, out); err != nil {
			if ctx.Err() == nil {
				out.send("problem", "", fail(ctx, s.Log, err))
			}
			return
		}
		out.flush()
		for idle := true; idle; {
			select {
			case <-changed:
				idle = false
			case <-heartbeat.C:
				out.raw(": here\n\n")
				if out.err != nil {
					return
				}
			case <-ctx.Done():
				return
			case <-s.Closing:
				return
			case <-life.C:
				return
			}
		}
		s.rest(ctx)
	}
}

// rest lets a burst of commits pass, so that each is not told by itself.
func (s *server) rest(ctx context.Context) {
	t := time.NewTimer(breath)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	case <-s.Closing:
	}
}

// send writes one event. An empty ID leaves the reader's last one as it is.
func (o *stream) send(event, id string, v any) {
	if o.err != nil {
		return
	}
	b, err := json.Marshal(v)
	if err != nil {
		o.err = err
		return
	}
	if id != "" {
		o.data.WriteString("id: " + id + "\n")
	}
	o.data.WriteString("event: " + event + "\ndata: ")
	o.data.Write(b)
	o.data.WriteString("\n\n")
	if o.data.Len() > 64<<10 {
		o.flush()
	}
}

// raw writes a line of the protocol, at once.
func (o *stream) raw(text string) {
	o.data.WriteString(text)
	o.flush()
}

// flush brings everything written so far to the reader, or drops a slow one.
func (o *stream) flush() {
	if o.err != nil {
		return
	}
	if err := o.ctl.SetWriteDeadline(time.Now().Add(o.patience)); err != nil {
		o.err = err
		return
	}
	if _, o.err = o.w.Write(o.data.Bytes()); o.err == nil {
		o.err = o.ctl.Flush()
	}
	o.data.Reset()
}
