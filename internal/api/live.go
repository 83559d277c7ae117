package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/fairwayhq/fairway/internal/auth"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/release"
)

func (s *server) registerLive(a huma.API) {
	route(s, a, streaming(a, huma.Operation{
		OperationID: "followRelease", Path: "/v1/releases/{release}/live", Tags: []string{"releases"},
		Summary: "Follow a release as it happens",
		Description: "Server-sent events: 'release' (ReleaseDetail, at first and whenever it changes), 'event' (Event), 'point' (Point). " +
			"IDs have the form EVENT.POINT; a reader that gives the last one back misses nothing.",
		Errors: []int{http.StatusNotFound},
	}), s.followRelease)
	route(s, a, streaming(a, huma.Operation{
		OperationID: "followEvents", Path: "/v1/events", Tags: []string{"releases"},
		Summary: "Follow the events of all releases",
		Description: "Server-sent events: 'event' (Event). Without a cursor, from now on; with 0, from the beginning. After a break " +
			"some events may come twice: release and seq tell them apart.",
	}), s.followEvents)
}

// streaming completes an operation whose answer is a stream.
func streaming(_ huma.API, op huma.Operation) huma.Operation {
	op.Method = http.MethodGet
	op.Responses = map[string]*huma.Response{"200": {
		Description: "A stream of server-sent events",
		Content:     map[string]*huma.MediaType{"text/event-stream": {Schema: &huma.Schema{Type: huma.TypeString}}},
	}}
	return op
}

// CursorInput says where a stream goes on: what a browser sends by itself when it
// comes back goes before the query.
type CursorInput struct {
	LastEventID string `header:"Last-Event-ID" doc:"the last ID that the reader got"`
	After       string `query:"after" doc:"the same, for a first request"`
}

func (c CursorInput) cursor() string {
	if c.LastEventID != "" {
		return c.LastEventID
	}
	return c.After
}

type followReleaseInput struct {
	ReleaseInput
	CursorInput
}

func (s *server) followRelease(ctx context.Context, in *followReleaseInput) (*huma.StreamResponse, error) {
	d, err := s.Releases.Get(ctx, who(ctx), in.Release)
	if err != nil {
		return nil, err
	}
	l := live{releases: s.Releases, who: who(ctx), release: d.ID}
	if l.event, l.point, err = parseCursor(in.cursor()); err != nil {
		return nil, err
	}
	return s.follow(l.tell), nil
}

// live is what one reader of a release was told.
type live struct {
	releases *release.Control
	who      auth.Identity
	release  string
	event    int64
	point    int64
	chart    release.Chart
	detail   []byte
}

// tell tells the release if it looks different, and then its new events and points.
func (l *live) tell(ctx context.Context, out *stream) error {
	d, err := l.releases.Get(ctx, l.who, l.release)
	if err != nil {
		return err
	}
	b, err := json.Marshal(wireDetail(d))
	if err != nil {
		return fault.Errorf(fault.Internal, "encode release %s: %w", l.release, err)
	}
	if !bytes.Equal(b, l.detail) {
		l.detail = b
		out.send("release", "", json.RawMessage(b))
	}
	if err := l.tellEvents(ctx, out); err != nil {
		return err
	}
	return l.tellPoints(ctx, out)
}

func (l *live) tellEvents(ctx context.Context, out *stream) error {
	for more := true; more && out.err == nil; {
		lines, rest, err := l.releases.EventsOf(ctx, l.release, l.event, streamPage)
		if err != nil {
			return err
		}
		for _, line := range lines {
			l.event = line.Seq
			out.send("event", l.id(), line)
		}
		more = rest
	}
	return nil
}

func (l *live) tellPoints(ctx context.Context, out *stream) error {
	for more := true; more && out.err == nil; {
		points, rest, err := l.releases.PointsInto(ctx, &l.chart, l.release, l.point, streamPage)
		if err != nil {
			return err
		}
		for _, p := range points {
			l.point = p.ID
			out.send("point", l.id(), wirePoint(p))
		}
		more = rest
	}
	return nil
}

// id is the cursor after what was told so far.
func (l *live) id() string { return fmt.Sprintf("%d.%d", l.event, l.point) }

// parseCursor reads EVENT.POINT; empty is the beginning.
func parseCursor(text string) (event, point int64, err error) {
	if text == "" {
		return 0, 0, nil
	}
	e, p, ok := strings.Cut(text, ".")
	event, err1 := strconv.ParseInt(e, 10, 64)
	point, err2 := strconv.ParseInt(p, 10, 64)
	if !ok || err1 != nil || err2 != nil || event < 0 || point < 0 {
		return 0, 0, fault.Errorf(fault.Invalid, "%q is not a cursor of this stream", text).
			WithHint("a cursor is the ID of an event of the stream, of the form EVENT.POINT; leave it out to begin")
	}
	return event, point, nil
}

func (s *server) followEvents(ctx context.Context, in *CursorInput) (*huma.StreamResponse, error) {
	var after int64
	var err error
	if text := in.cursor(); text == "" {
		after, err = s.Releases.LastLine(ctx)
	} else if after, err = strconv.ParseInt(text, 10, 64); err != nil || after < 0 {
		err = fault.Errorf(fault.Invalid, "%q is not a cursor of this stream", text).WithHint("a cursor is the ID of an event of the stream")
	}
	if err != nil {
		return nil, err
	}
	begun := false
	return s.follow(func(ctx context.Context, out *stream) error {
		if !begun {
			// An ID without an event: a reader that is cut off before the first event still knows where it was.
			out.raw("id: " + strconv.FormatInt(after, 10) + "\n\n")
			begun = true
		}
		for out.err == nil {
			lines, last, err := s.Releases.Recent(ctx, after, streamPage)
			if err != nil || len(lines) == 0 {
				return err
			}
			after = last
			for i, line := range lines {
				id := ""
				if i == len(lines)-1 {
					id = strconv.FormatInt(last, 10)
				}
				out.send("event", id, line)
			}
		}
		return nil
	}), nil
}
