package api

import (
	"context"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/fairwayhq/fairway/internal/api/client"
)

func (s *server) registerEvents(a huma.API) {
	route(s, a, huma.Operation{
		OperationID: "listEvents", Method: http.MethodGet, Path: "/v1/releases/{release}/events", Tags: []string{"releases"},
		Summary: "List the lines of a release's chain in the ledger, oldest first", Errors: []int{http.StatusNotFound},
	}, s.listEvents)
	route(s, a, huma.Operation{
		OperationID: "verifyRelease", Method: http.MethodGet, Path: "/v1/releases/{release}/verify", Tags: []string{"releases"},
		Summary: "Prove that a release's chain is whole, or name its first broken line", Errors: []int{http.StatusNotFound},
	}, s.verify)
}

// AfterInput pages through what has rising numbers.
type AfterInput struct {
	After int64 `query:"after" minimum:"0" doc:"only what comes after this number; 'next' of the page before"`
	Limit int   `query:"limit" minimum:"1" maximum:"500" default:"50" doc:"how many at most"`
}

type listEventsInput struct {
	ReleaseInput
	AfterInput
}

func (s *server) listEvents(ctx context.Context, in *listEventsInput) (*answer[client.Page[client.Event]], error) {
	lines, more, err := s.Releases.EventsOf(ctx, in.Release, in.After, in.Limit)
	next := ""
	if more {
		next = strconv.FormatInt(lines[len(lines)-1].Seq, 10)
	}
	return answered(page(lines, next), err)
}

func (s *server) verify(ctx context.Context, in *ReleaseInput) (*answer[client.Verification], error) {
	v, err := s.Releases.Verify(ctx, in.Release)
	return answered(client.Verification{Release: v.Release, Lines: v.Lines, OK: v.Broken == "", Broken: v.Broken, Head: v.Head, Removed: v.Removed}, err)
}
