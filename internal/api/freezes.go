package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

func (s *server) registerFreezes(a huma.API) {
	route(s, a, huma.Operation{
		OperationID: "listFreezes", Method: http.MethodGet, Path: "/v1/freezes", Tags: []string{"freezes"},
		Summary: "List the freezes that are not ended",
	}, s.listFreezes)
	route(s, a, huma.Operation{
		OperationID: "freeze", Method: http.MethodPost, Path: "/v1/freezes", Tags: []string{"freezes"},
		Summary:       "Stop lanes",
		Description:   "Of a service, of an environment, of both; with neither, all of them (stop the line).",
		DefaultStatus: http.StatusCreated, Errors: []int{http.StatusForbidden},
	}, s.freeze)
	route(s, a, huma.Operation{
		OperationID: "unfreeze", Method: http.MethodDelete, Path: "/v1/freezes/{freeze}", Tags: []string{"freezes"},
		Summary: "End a freeze", Errors: []int{http.StatusForbidden, http.StatusNotFound},
	}, s.unfreeze)
}

func (s *server) listFreezes(ctx context.Context, _ *struct{}) (*answer[client.Page[client.Freeze]], error) {
	list, err := s.Releases.Freezes(ctx)
	return answered(page(list, ""), err)
}

type freezeInput struct{ Body client.NewFreeze }

func (s *server) freeze(ctx context.Context, in *freezeInput) (*answer[client.Freeze], error) {
	b := in.Body
	f := client.Freeze{Service: b.Service, Environment: b.Environment, Reason: b.Reason, From: b.From, Until: b.Until, Rule: b.Rule}
	if b.For != "" {
		lasts, err := pipeline.ParseDuration(b.For)
		if err != nil {
			return nil, fault.Errorf(fault.Invalid, "for: %w", err)
		}
		f.For = lasts
	}
	return answered(s.Releases.Freeze(ctx, who(ctx), f))
}

type unfreezeInput struct {
	Freeze string `path:"freeze" doc:"the freeze's ID"`
}

func (s *server) unfreeze(ctx context.Context, in *unfreezeInput) (*done, error) {
	return nil, s.Releases.Unfreeze(ctx, who(ctx), in.Freeze)
}
