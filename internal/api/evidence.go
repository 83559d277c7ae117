package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

func (s *server) registerEvidence(a huma.API) {
	route(s, a, huma.Operation{
		OperationID: "addEvidence", Method: http.MethodPost, Path: "/v1/evidence", Tags: []string{"evidence"},
		Summary:       "Add a fact about an artifact",
		Description:   "Every release of the artifact that waits at a gate looks again.",
		DefaultStatus: http.StatusCreated, Errors: []int{http.StatusForbidden},
	}, s.addEvidence)
	route(s, a, huma.Operation{
		OperationID: "listEvidence", Method: http.MethodGet, Path: "/v1/evidence", Tags: []string{"evidence"},
		Summary: "List all facts about an artifact, oldest first",
	}, s.listEvidence)
}

type addEvidenceInput struct{ Body client.Evidence }

func (s *server) addEvidence(ctx context.Context, in *addEvidenceInput) (*answer[pipeline.Evidence], error) {
	e := in.Body
	return answered(s.Releases.AddEvidence(ctx, who(ctx), pipeline.Evidence{
		Digest: e.Digest, Kind: e.Kind, Name: e.Name, Status: e.Status, URL: e.URL, Data: e.Data,
	}))
}

type listEvidenceInput struct {
	Digest string `query:"digest" required:"true" doc:"the artifact's digest"`
}

func (s *server) listEvidence(ctx context.Context, in *listEvidenceInput) (*answer[client.Page[pipeline.Evidence]], error) {
	list, err := s.Releases.Evidence(ctx, in.Digest)
	return answered(page(list, ""), err)
}

// page is a page of a list, which is never null.
func page[T any](list []T, next string) client.Page[T] {
	if list == nil {
		list = []T{}
	}
	return client.Page[T]{Items: list, Next: next}
}
