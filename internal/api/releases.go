package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/release"
)

func (s *server) registerReleases(a huma.API) {
	route(s, a, huma.Operation{
		OperationID: "listReleases", Method: http.MethodGet, Path: "/v1/releases", Tags: []string{"releases"},
		Summary: "List releases, newest first",
	}, s.listReleases)
	route(s, a, huma.Operation{
		OperationID: "createRelease", Method: http.MethodPost, Path: "/v1/releases", Tags: []string{"releases"},
		Summary:       "Create a release and start it",
		Description:   "The same request posted again under the same Idempotency-Key returns the first release. Faults of the definition come with file, line and column.",
		DefaultStatus: http.StatusCreated, MaxBodyBytes: maxReleaseBody, BodyReadTimeout: time.Minute,
		Errors: []int{http.StatusForbidden, http.StatusConflict, http.StatusRequestEntityTooLarge},
	}, s.createRelease)
	route(s, a, huma.Operation{
		OperationID: "getRelease", Method: http.MethodGet, Path: "/v1/releases/{release}", Tags: []string{"releases"},
		Summary: "Get a release with its plan, its run, and what the caller may do", Errors: []int{http.StatusNotFound},
	}, s.getRelease)
}

type listReleasesInput struct {
	Service string            `query:"service" doc:"only this service's" example:"shop"`
	State   pipeline.RunState `query:"state" doc:"only in this state" example:"running"`
	Cursor  string            `query:"cursor" doc:"'next' of the page before"`
	Limit   int               `query:"limit" minimum:"1" maximum:"500" default:"50" doc:"how many at most"`
}

func (s *server) listReleases(ctx context.Context, in *listReleasesInput) (*answer[client.Page[client.Release]], error) {
	list, next, err := s.Releases.List(ctx, release.Filter{Service: in.Service, State: in.State, Before: in.Cursor, Limit: in.Limit})
	return answered(client.Page[client.Release]{Items: wired(list, wireRelease), Next: next}, err)
}

type createReleaseInput struct {
	Key  string `header:"Idempotency-Key" maxLength:"200" doc:"makes a repeated post return the first release"`
	Body client.NewRelease
}

func (s *server) createRelease(ctx context.Context, in *createReleaseInput) (*answer[client.ReleaseDetail], error) {
	var with []release.ComponentRequest
	for _, c := range in.Body.With {
		with = append(with, release.ComponentRequest{
			Service: c.Service, Definition: c.Definition, Version: c.Version, Artifact: c.Artifact, Digest: c.Digest,
			Files: c.Files, Manifests: c.Manifests, Sealed: c.Sealed,
		})
	}
	id, err := s.Releases.Create(ctx, who(ctx), release.Request{
		With:    with,
		Service: in.Body.Service, Definition: in.Body.Definition, Version: in.Body.Version,
		Artifact: in.Body.Artifact, Digest: in.Body.Digest, Files: in.Body.Files, Manifests: in.Body.Manifests, Sealed: in.Body.Sealed, Note: in.Body.Note, Key: in.Key,
	})
	if err != nil {
		return nil, err
	}
	return s.detail(ctx, id)
}

// ReleaseInput is the path of everything about one release.
type ReleaseInput struct {
	Release string `path:"release" doc:"an ID, SERVICE@VERSION, or SERVICE for its newest release" example:"shop@v2"`
}

func (s *server) getRelease(ctx context.Context, in *ReleaseInput) (*answer[client.ReleaseDetail], error) {
	return s.detail(ctx, in.Release)
}

func (s *server) detail(ctx context.Context, ref string) (*answer[client.ReleaseDetail], error) {
	d, err := s.Releases.Get(ctx, who(ctx), ref)
	return answered(wireDetail(d), err)
}
