package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/auth"
	"github.com/fairwayhq/fairway/internal/release"
)

func (s *server) registerActions(a huma.API) {
	action(s, a, "approve", "Approve what waits for a person",
		"An approval stage, or a held canary or watch that a person lets go on. The author cannot. Give digest and planHash to bind it to what was looked at.", s.approve)
	action(s, a, "reject", "Reject what waits for a person", "The environment is rolled back.", s.reject)
	action(s, a, "pause", "Keep a release from advancing", "It may still retreat.", s.pause)
	action(s, a, "resume", "Let a paused release go on", "", s.resume)
	route(s, a, actionOf("rollback", "Take a release back, or bring an older one back",
		"With 'to', a new release of the older one's component is made for the environment, and returned. The same request "+
			"posted again under the same Idempotency-Key returns that release."), s.rollback)
	action(s, a, "skip", "Leave an environment out", "It takes a role and a reason.", s.skip)
}

// actionInput is what a person asks of a release.
type actionInput[T any] struct {
	ReleaseInput
	Body T
}

// action registers POST /v1/releases/{release}/NAME, which answers with the release as it is then.
func action[T any](s *server, a huma.API, name, summary, description string,
	f func(ctx context.Context, by auth.Identity, ref string, ask T) (string, error)) {
	route(s, a, actionOf(name, summary, description), func(ctx context.Context, in *actionInput[T]) (*answer[client.ReleaseDetail], error) {
		ref, err := f(ctx, who(ctx), in.Release, in.Body)
		if err != nil {
			return nil, err
		}
		return s.detail(ctx, ref)
	})
}

func actionOf(name, summary, description string) huma.Operation {
	return huma.Operation{
		OperationID: name + "Release", Method: http.MethodPost, Path: "/v1/releases/{release}/" + name, Tags: []string{"releases"},
		Summary: summary, Description: description,
		Errors: []int{http.StatusForbidden, http.StatusNotFound, http.StatusConflict},
	}
}

func (s *server) approve(ctx context.Context, by auth.Identity, ref string, ask client.Approval) (string, error) {
	return ref, s.Releases.Approve(ctx, by, ref, release.Approval(ask))
}

func (s *server) reject(ctx context.Context, by auth.Identity, ref string, ask client.Approval) (string, error) {
	return ref, s.Releases.Reject(ctx, by, ref, release.Approval(ask))
}

func (s *server) pause(ctx context.Context, by auth.Identity, ref string, ask client.Action) (string, error) {
	return ref, s.Releases.Pause(ctx, by, ref, release.Action(ask))
}

func (s *server) resume(ctx context.Context, by auth.Identity, ref string, ask client.Action) (string, error) {
	return ref, s.Releases.Resume(ctx, by, ref, release.Action(ask))
}

func (s *server) skip(ctx context.Context, by auth.Identity, ref string, ask client.Action) (string, error) {
	return ref, s.Releases.Skip(ctx, by, ref, release.Action(ask))
}

type rollbackInput struct {
	ReleaseInput
	Key  string `header:"Idempotency-Key" maxLength:"200" doc:"with 'to': makes a repeated post return the first release"`
	Body client.Rollback
}

func (s *server) rollback(ctx context.Context, in *rollbackInput) (*answer[client.ReleaseDetail], error) {
	ref, ask := in.Release, in.Body
	var err error
	if ask.To == "" {
		err = s.Releases.Rollback(ctx, who(ctx), ref, release.Action{Environment: ask.Environment, Reason: ask.Reason})
	} else {
		ref, err = s.Releases.Restore(ctx, who(ctx), ref, release.Restore{To: ask.To, Environment: ask.Environment, Reason: ask.Reason, Key: in.Key})
	}
	if err != nil {
		return nil, err
	}
	return s.detail(ctx, ref)
}
