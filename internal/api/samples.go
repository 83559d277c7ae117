package api

import (
	"context"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/release"
)

func (s *server) registerSamples(a huma.API) {
	route(s, a, huma.Operation{
		OperationID: "listSamples", Method: http.MethodGet, Path: "/v1/releases/{release}/samples", Tags: []string{"releases"},
		Summary: "List the samples of a release as they were judged, oldest first",
		Description: "With the opening that the ledger keeps (the lines canary.opening and watch.opening) they are all that the verdicts followed from. " +
			"For a chart use the points, which come with rates.",
		Errors: []int{http.StatusNotFound},
	}, s.listSamples)
}

func (s *server) listSamples(ctx context.Context, in *listPointsInput) (*answer[client.Page[client.JudgedSample]], error) {
	samples, more, err := s.Releases.Samples(ctx, in.Release, in.Environment, in.After, in.Limit)
	next := ""
	if more {
		next = strconv.FormatInt(samples[len(samples)-1].ID, 10)
	}
	return answered(page(wired(samples, wireSample), next), err)
}

func wireSample(p release.SampledPoint) client.JudgedSample {
	return client.JudgedSample{ID: p.ID, Environment: p.Environment, Stage: p.Stage, Point: p.Point}
}
