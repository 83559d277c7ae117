package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/drift"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/inquiry"
	"github.com/fairwayhq/fairway/internal/release"
)

// Desk hands inquiries to workers and takes their answers.
type Desk interface {
	Take(ctx context.Context, w inquiry.Wish) ([]inquiry.Inquiry, error)
	Answer(ctx context.Context, a inquiry.Answer) error
}

func (s *server) registerInquiries(a huma.API) {
	route(s, a, huma.Operation{
		OperationID: "inquire", Method: http.MethodPost, Path: "/v1/inquiries", Tags: []string{"services"},
		Summary: "Ask a worker about what runs in an environment",
		Description: "Waits for the answer, at most 50 s, and changes nothing. About 'preview': what a release would change; it takes a role that may ship releases. " +
			"About 'drift': where what runs is not as the release at home says; about 'truth': as the repository says that its plan names. Where no worker of the environment is connected, the answer is 503 after a few seconds.",
		MaxBodyBytes: maxReleaseBody, BodyReadTimeout: -1,
		Errors: []int{http.StatusForbidden, http.StatusNotFound, http.StatusConflict, http.StatusServiceUnavailable},
	}, s.inquire)
	route(s, a, huma.Operation{
		OperationID: "takeInquiries", Method: http.MethodPost, Path: "/v1/worker/inquiries", Tags: []string{"workers"},
		Summary:         "Take an inquiry",
		Description:     "Waits for one as long as asked, at most 30 s. It takes a worker's token, whose environments and regions restrict the inquiries.",
		BodyReadTimeout: -1, Errors: []int{http.StatusForbidden},
	}, s.takeInquiries)
	route(s, a, huma.Operation{
		OperationID: "answerInquiry", Method: http.MethodPost, Path: "/v1/worker/answers", Tags: []string{"workers"},
		Summary: "Answer an inquiry", Description: "An answer that nobody waits for any more is dropped.",
		MaxBodyBytes: maxAnswer, Errors: []int{http.StatusForbidden, http.StatusConflict},
	}, s.answerInquiry)
}

// maxAnswer is how large an answer may be: a worker keeps it below a MiB, and JSON is
// escaped here and there.
const maxAnswer = 4 << 20

type inquireInput struct{ Body client.NewInquiry }

func (s *server) inquire(ctx context.Context, in *inquireInput) (*answer[client.Comparison], error) {
	ctx, stop := s.untilClosing(ctx)
	defer stop()
	b := in.Body
	var found release.Comparison
	var err error
	switch b.About {
	case inquiry.Preview:
		if b.Release == nil {
			return nil, fault.Errorf(fault.Invalid, "a preview needs a release to look at").WithHint("send its definition under 'release'")
		}
		found, err = s.Releases.Preview(ctx, who(ctx), b.Environment, release.Request{
			Definition: b.Release.Definition, Version: b.Release.Version, Artifact: b.Release.Artifact,
			Digest: b.Release.Digest, Files: b.Release.Files, Manifests: b.Release.Manifests, Sealed: b.Release.Sealed,
		})
	default:
		found, err = s.Releases.Drift(ctx, b.About, b.Service, b.Environment)
	}
	if ctx.Err() != nil && err != nil {
		err = fault.Errorf(fault.Unavailable, "the server ends: %w", err).WithHint("ask again when it is back")
	}
	return answered(wireComparison(found), err)
}

type takeInput struct{ Body inquiry.Wish }

func (s *server) takeInquiries(ctx context.Context, in *takeInput) (*answer[[]inquiry.Inquiry], error) {
	ctx, stop := s.untilClosing(ctx)
	defer stop()
	wish := in.Body
	may, err := workerReach(who(ctx), reach{wish.Environments, wish.Regions})
	if err != nil {
		return nil, err
	}
	wish.Environments, wish.Regions = may.environments, may.regions
	taken, err := s.Desk.Take(ctx, wish)
	if taken == nil {
		taken = []inquiry.Inquiry{}
	}
	return answered(taken, err)
}

type answerInput struct{ Body inquiry.Answer }

func (s *server) answerInquiry(ctx context.Context, given *answerInput) (*done, error) {
	if _, err := workerReach(who(ctx), in(given.Body.Environment, given.Body.Region)); err != nil {
		return nil, err
	}
	return &done{}, s.Desk.Answer(ctx, given.Body)
}

// untilClosing ends with the server, so that nobody who waits holds up its end.
func (s *server) untilClosing(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-s.Closing:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(); <-ended }
}

func wireComparison(c release.Comparison) client.Comparison {
	w := client.Comparison{
		Service: c.Service, Environment: c.Environment, Worker: c.Worker, Differences: c.Differences, Notes: c.Notes, Truth: c.Truth,
	}
	if c.Release != nil {
		w.Release, w.Version = c.Release.ID, c.Release.Version
	}
	if w.Differences == nil {
		w.Differences = []drift.Difference{}
	}
	return w
}
