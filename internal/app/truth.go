package app

import (
	"context"
	"path/filepath"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/git"
	"github.com/fairwayhq/fairway/internal/git/github"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/stage"
)

// truth tells repositories by the real git, from clones in the worker's folder.
type truth struct{ dir string }

var _ stage.Truth = truth{}

func (t truth) Tell(ctx context.Context, where pipeline.Git, change stage.TruthChange) (stage.Told, error) {
	r, err := t.repository(where)
	if err != nil {
		return stage.Told{}, err
	}
	c := git.Change{Release: change.Release, Service: change.Service, Environment: change.Environment, Image: change.Image, Rollback: change.Rollback}
	if !where.PullRequest {
		result, err := r.Commit(ctx, c)
		return stage.Told{Done: err == nil, Where: result.Commit}, err
	}
	result, err := r.Propose(ctx, c)
	if err != nil || result.PullRequest == nil {
		return stage.Told{Done: err == nil, Where: result.Commit}, err
	}
	state := result.PullRequest.State
	return stage.Told{Done: state == git.Merged, Refused: state == git.Closed, Where: result.PullRequest.URL}, nil
}

func (t truth) repository(where pipeline.Git) (git.Repository, error) {
	r := git.Repository{
		URL: where.Repository, Branch: where.Branch, Token: where.Token, Dir: filepath.Join(t.dir, "git"),
		Place: git.Place{Path: where.Path, Key: where.Key, Name: where.Image, Deployment: where.Deployment, Container: where.Container},
	}
	if !where.PullRequest {
		return r, nil
	}
	config, ok := github.ConfigOf(where.Repository)
	if !ok {
		return r, fault.Errorf(fault.Invalid, "pull requests cannot be opened for %s", r.Name()).
			WithHint("it is no repository of GitHub; leave `pullRequest` out to push to the branch")
	}
	config.Token = where.Token
	reviews, err := github.New(config)
	r.Reviews = reviews
	return r, err
}
