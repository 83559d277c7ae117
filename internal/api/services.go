package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/fairwayhq/fairway/internal/api/client"
)

func (s *server) registerServices(a huma.API) {
	route(s, a, huma.Operation{
		OperationID: "listServices", Method: http.MethodGet, Path: "/v1/services", Tags: []string{"services"},
		Summary: "List all services with what runs and moves in each environment",
	}, s.listServices)
	route(s, a, huma.Operation{
		OperationID: "getService", Method: http.MethodGet, Path: "/v1/services/{service}", Tags: []string{"services"},
		Summary: "Get one service", Errors: []int{http.StatusNotFound},
	}, s.getService)
}

func (s *server) listServices(ctx context.Context, _ *struct{}) (*answer[client.Page[client.Service]], error) {
	list, err := s.Releases.Services(ctx)
	return answered(client.Page[client.Service]{Items: wired(list, wireService)}, err)
}

type serviceInput struct {
	Service string `path:"service" doc:"the service's name" example:"shop"`
}

func (s *server) getService(ctx context.Context, in *serviceInput) (*answer[client.Service], error) {
	v, err := s.Releases.Service(ctx, in.Service)
	return answered(wireService(v), err)
}
