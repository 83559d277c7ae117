package api

import (
	"context"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/fairwayhq/fairway/internal/api/client"
)

func (s *server) registerPoints(a huma.API) {
	route(s, a, huma.Operation{
		OperationID: "listPoints", Method: http.MethodGet, Path: "/v1/releases/{release}/points", Tags: []string{"releases"},
		Summary:     "List the judged samples of a release, oldest first",
		Description: "Rates and quantiles are taken over the 30 seconds that end at the point, with their 95 % intervals.",
		Errors:      []int{http.StatusNotFound},
	}, s.listPoints)
}

type listPointsInput struct {
	ReleaseInput
	AfterInput
	Environment string `query:"environment" doc:"only in this environment"`
}

func (s *server) listPoints(ctx context.Context, in *listPointsInput) (*answer[client.Page[client.Point]], error) {
	points, more, err := s.Releases.Points(ctx, in.Release, in.Environment, in.After, in.Limit)
	next := ""
	if more {
		next = strconv.FormatInt(points[len(points)-1].ID, 10)
	}
	return answered(page(wired(points, wirePoint), next), err)
}
