package api

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/fairwayhq/fairway/internal/auth"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/stage"
)

// maxReport is how large a worker's report may be. Its state has what was at home before,
// which came with a release and is written in base 64; its samples and lines are less than
// any other request.
const maxReport = maxReleaseBody*4/3 + maxBody

func (s *server) registerWorker(a huma.API) {
	route(s, a, huma.Operation{
		OperationID: "leaseTasks", Method: http.MethodPost, Path: "/v1/worker/lease", Tags: []string{"workers"},
		Summary:     "Lease tasks",
		Description: "Waits for the first task as long as asked, at most 30 s. It takes a worker's token, whose environments restrict the tasks.",
		// A deadline for reading the body would end the wait that follows.
		BodyReadTimeout: -1, Errors: []int{http.StatusForbidden},
	}, s.lease)
	route(s, a, huma.Operation{
		OperationID: "reportTask", Method: http.MethodPost, Path: "/v1/worker/report", Tags: []string{"workers"},
		Summary: "Report what a tick of a task came to", MaxBodyBytes: maxReport, BodyReadTimeout: time.Minute,
		Errors: []int{http.StatusForbidden, http.StatusConflict},
	}, s.report)
}

type leaseInput struct{ Body stage.LeaseAsk }

func (s *server) lease(ctx context.Context, in *leaseInput) (*answer[[]stage.Task], error) {
	ask := in.Body
	var err error
	if ask.Environments, err = workerEnvironments(who(ctx), ask.Environments); err != nil {
		return nil, err
	}
	tasks, err := s.Drive.Lease(ctx, ask)
	if tasks == nil {
		tasks = []stage.Task{}
	}
	return answered(tasks, err)
}

type reportInput struct{ Body stage.Report }

func (s *server) report(ctx context.Context, in *reportInput) (*answer[stage.Reply], error) {
	if _, err := workerEnvironments(who(ctx), []string{in.Body.Environment}); err != nil {
		return nil, err
	}
	return answered(s.Drive.Report(ctx, in.Body))
}

// workerEnvironments narrows what is asked to what the worker's token allows;
// empty means all.
func workerEnvironments(id auth.Identity, asked []string) ([]string, error) {
	if !id.Worker && !id.Has(auth.Admin) {
		return nil, fault.Errorf(fault.Denied, "%s is not a worker", id.User).
			WithHint("make a worker's token with `fairway token add --worker`")
	}
	var allowed []string
	if id.Token != nil {
		allowed = id.Token.Environments
	}
	if len(allowed) == 0 {
		return asked, nil
	}
	if len(asked) == 0 {
		return allowed, nil
	}
	var both []string
	for _, e := range asked {
		if slices.Contains(allowed, e) {
			both = append(both, e)
		}
	}
	if len(both) == 0 {
		return nil, fault.Errorf(fault.Denied, "the worker's token is not for %v", asked).
			WithHint("it is for %v", allowed)
	}
	return both, nil
}
