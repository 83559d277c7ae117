package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/release"
)

func (s *server) registerDrills(a huma.API) {
	route(s, a, huma.Operation{
		OperationID: "createDrill", Method: http.MethodPost, Path: "/v1/services/{service}/drills", Tags: []string{"services"},
		Summary: "Hold a drill: see whether harm would be noticed",
		Description: "What is at home goes through the environment's canary once more, with a fault in the router or as another artifact, " +
			"and is taken back whatever is found. Users' requests are harmed, as few as the canary allows. It takes the role sre.",
		DefaultStatus: http.StatusCreated, Errors: []int{http.StatusForbidden, http.StatusNotFound, http.StatusConflict},
	}, s.createDrill)
}

type createDrillInput struct {
	Service string `path:"service" doc:"the service's name" example:"shop"`
	Key     string `header:"Idempotency-Key" maxLength:"200" doc:"makes a repeated post return the first drill"`
	Body    client.NewDrill
}

func (s *server) createDrill(ctx context.Context, in *createDrillInput) (*answer[client.ReleaseDetail], error) {
	b := in.Body
	ask := release.Drill{Service: in.Service, Environment: b.Environment, Artifact: b.Artifact, Digest: b.Digest, Reason: b.Reason, Key: in.Key}
	harm := pipeline.Harm{Errors: b.Errors, Slower: b.Slower}
	for _, d := range []struct {
		name, text string
		set        func(pipeline.Duration)
	}{{"delay", b.Delay, func(d pipeline.Duration) { harm.Delay = d }}, {"for", b.For, func(d pipeline.Duration) { ask.For = d.Std() }}} {
		if d.text == "" {
			continue
		}
		value, err := pipeline.ParseDuration(d.text)
		if err != nil {
			return nil, fault.Errorf(fault.Invalid, "%s: %w", d.name, err)
		}
		d.set(value)
	}
	if harm != (pipeline.Harm{}) {
		ask.Harm = &harm
	}
	id, err := s.Releases.Drill(ctx, who(ctx), ask)
	if err != nil {
		return nil, err
	}
	return s.detail(ctx, id)
}
