package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
)

// ErrStop, returned by a listener, ends a stream without an error.
var ErrStop = errors.New("stop")

// Listener hears about one release. Fields may be nil. An error ends the stream.
type Listener struct {
	Release func(ReleaseDetail) error
	Event   func(Event) error
	Point   func(Point) error
}

const (
	// silence is how long a stream may say nothing, not even that it lives.
	silence = 45 * time.Second
	// maxLine bounds one line of a stream.
	maxLine = 32 << 20
	// longestPause bounds the pause between two attempts to come back.
	longestPause = 5 * time.Second
)

// Live follows a release until the context or the listener ends it. It comes back
// after a break, without a gap. After is a cursor to begin from; empty is the
// beginning.
func (c *Client) Live(ctx context.Context, ref, after string, l Listener) error {
	return c.follow(ctx, releasePath(ref, "/live"), after, func(m message) error {
		switch m.event {
		case "release":
			return heard(m.data, l.Release)
		case "event":
			return heard(m.data, l.Event)
		case "point":
			return heard(m.data, l.Point)
		}
		return nil
	})
}

// Follow follows the events of all releases. After is a store-wide cursor: empty
// begins now, "0" at the beginning. After a break no event is missing, and none comes twice.
func (c *Client) Follow(ctx context.Context, after string, f func(Event) error) error {
	last := map[string]int64{}
	return c.follow(ctx, "/v1/events", after, func(m message) error {
		if m.event != "event" {
			return nil
		}
		return heard(m.data, func(e Event) error {
			if e.Seq <= last[e.Release] {
				return nil
			}
			last[e.Release] = e.Seq
			return f(e)
		})
	})
}

func heard[T any](data []byte, f func(T) error) error {
	if f == nil {
		return nil
	}
	var v T
	if err := json.Unmarshal(data, &v); err != nil {
		return fault.Errorf(fault.Unavailable, "read the server's stream: %w", err)
	}
	return f(v)
}

// message is one server-sent event.
type message struct {
	event string
	data  []byte
}

// follow reads the stream, and comes back with the last ID whenever it breaks.
// What the server refuses, and a server that was never reached, are errors.
func (c *Client) follow(ctx context.Context, path, after string, f func(message) error) error {
	r := &reader{last: after, f: f}
	wait := firstPause
	for first := true; ; first = false {
		got, err := c.listen(ctx, path, r, first)
		switch {
		case errors.Is(err, ErrStop):
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case r.failed != nil:
			return r.failed
		case !got && (first || fault.CodeOf(err) != fault.Unavailable):
			return err
		case got:
			wait = firstPause
		}
		if err := c.pause(ctx, wait); err != nil {
			return err
		}
		wait = min(2*wait, longestPause)
	}
}

// listen reads one connection to its end, which is always an error, and tells
// whether there was one at all.
func (c *Client) listen(ctx context.Context, path string, r *reader, first bool) (bool, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ask := call{method: http.MethodGet, path: path, header: map[string]string{"Accept": "text/event-stream"}}
	if first && r.last != "" {
		ask.query = url.Values{"after": {r.last}}
	} else {
		ask.header["Last-Event-ID"] = r.last
	}
	resp, err := c.send(ctx, ask)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	quiet := time.AfterFunc(silence, cancel)
	defer quiet.Stop()
	return true, r.read(&alive{resp.Body, quiet})
}

// alive puts the end off whenever something comes.
type alive struct {
	io.Reader
	quiet *time.Timer
}

func (a *alive) Read(b []byte) (int, error) {
	n, err := a.Reader.Read(b)
	if n > 0 {
		a.quiet.Reset(silence)
	}
	return n, err
}

// reader parses server-sent events and remembers the last ID.
type reader struct {
	last   string
	f      func(message) error
	failed error // what the listener returned
}

func (r *reader) read(from io.Reader) error {
	lines := bufio.NewScanner(from)
	lines.Buffer(make([]byte, 64<<10), maxLine)
	var m message
	id := r.last
	for lines.Scan() {
		line := lines.Bytes()
		if len(line) == 0 {
			if err := r.dispatch(m, id); err != nil {
				return err
			}
			m = message{}
			continue
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(name) {
		case "id":
			id = string(value)
		case "event":
			m.event = string(value)
		case "data":
			if m.data != nil {
				m.data = append(m.data, '\n')
			}
			m.data = append(m.data, value...)
		}
	}
	return fault.Errorf(fault.Unavailable, "the stream broke: %w", or(lines.Err(), io.EOF))
}

func (r *reader) dispatch(m message, id string) error {
	if m.data != nil {
		if m.event == "problem" {
			return fault.Errorf(fault.Unavailable, "the server broke the stream off")
		}
		if err := r.f(m); err != nil {
			if !errors.Is(err, ErrStop) {
				r.failed = err
			}
			return err
		}
	}
	r.last = id
	return nil
}

func or(err, instead error) error {
	if err == nil {
		return instead
	}
	return err
}

// Cursor makes the cursor of Live from the numbers of the last event and point seen.
func Cursor(event, point int64) string {
	return strconv.FormatInt(event, 10) + "." + strconv.FormatInt(point, 10)
}
