package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/fairwayhq/fairway/internal/stage"
)

// maxReport is how large a worker's report may be. Its state has what was at home before,
// which came with a release and is written in base 64; its samples and lines are less than
// any other request.
const maxReport = maxReleaseBody*4/3 + maxBody

func (s *server) registerWorker(a huma.API) {
	route(s, a, huma.Operation{
		OperationID: "greetServer", Method: http.MethodPost, Path: "/v1/worker/hello", Tags: []string{"workers"},
		Summary:     "Introduce a worker",
		Description: "Tells which versions of the workers' part of this API the server speaks, and what time it has. A worker that has none in common with it, or another time, asks for no tasks.",
		Errors:      []int{http.StatusForbidden},
	}, s.hello)
	route(s, a, huma.Operation{
		OperationID: "leaseTasks", Method: http.MethodPost, Path: "/v1/worker/lease", Tags: []string{"workers"},
		Summary:     "Lease tasks",
		Description: "Waits for the first task as long as asked, at most 30 s. It takes a worker's token, whose environments and regions restrict the tasks.",
		// A deadline for reading the body would end the wait that follows.
		BodyReadTimeout: -1, Errors: []int{http.StatusForbidden},
	}, s.lease)
	route(s, a, huma.Operation{
		OperationID: "giveSigns", Method: http.MethodPost, Path: "/v1/worker/signs", Tags: []string{"workers"},
		Summary:     "Give signs of life of tasks",
		Description: "Renews the leases of tasks about which there is nothing else to report, and tells how each stands, in the order of the signs.",
		Errors:      []int{http.StatusForbidden},
	}, s.signs)
	route(s, a, huma.Operation{
		OperationID: "reportTask", Method: http.MethodPost, Path: "/v1/worker/report", Tags: []string{"workers"},
		Summary: "Report what a tick of a task came to", MaxBodyBytes: maxReport, BodyReadTimeout: time.Minute,
		Errors: []int{http.StatusForbidden, http.StatusConflict},
	}, s.report)
}

type helloInput struct{ Body stage.Hello }

func (s *server) hello(ctx context.Context, in *helloInput) (*answer[stage.Welcome], error) {
	if _, err := workerReach(who(ctx), reach{in.Body.Environments, in.Body.Regions}); err != nil {
		return nil, err
	}
	return answered(stage.Welcome{Wire: stage.Wire, OldestWire: stage.OldestWorker, Version: s.Version, Now: s.Now()}, nil)
}

type leaseInput struct{ Body stage.LeaseAsk }

func (s *server) lease(ctx context.Context, in *leaseInput) (*answer[[]stage.Task], error) {
	ask := in.Body
	may, err := workerReach(who(ctx), reach{ask.Environments, ask.Regions})
	if err != nil {
		return nil, err
	}
	ask.Environments, ask.Regions = may.environments, may.regions
	tasks, err := s.Drive.Lease(ctx, ask)
	if tasks == nil {
		tasks = []stage.Task{}
	}
	return answered(tasks, err)
}

type signsInput struct{ Body stage.Signs }

func (s *server) signs(ctx context.Context, in *signsInput) (*answer[[]stage.Reply], error) {
	signs := in.Body
	may, err := workerReach(who(ctx), reach{signs.Environments, signs.Regions})
	if err != nil {
		return nil, err
	}
	signs.Environments, signs.Regions = may.environments, may.regions
	return answered(s.Drive.Signs(ctx, signs))
}

type reportInput struct{ Body stage.Report }

func (s *server) report(ctx context.Context, told *reportInput) (*answer[stage.Reply], error) {
	if _, err := workerReach(who(ctx), in(told.Body.Environment, told.Body.Region)); err != nil {
		return nil, err
	}
	return answered(s.Drive.Report(ctx, told.Body))
}
