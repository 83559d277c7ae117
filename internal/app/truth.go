package app

import (
	"cmp"
	"context"
	"path/filepath"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/git"
	"github.com/fairwayhq/fairway/internal/git/github"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/stage"
)

// truth tells repositories by the real git, from clones in the worker's folder.
type truth struct {
	dir       string
	checkouts *checkouts
}

var _ stage.Truth = truth{}

func newTruth(dir string) truth { return truth{dir: dir, checkouts: newCheckouts(checkoutKept)} }

func (t truth) Tell(ctx context.Context, where pipeline.Git, change stage.TruthChange) (stage.Told, error) {
	r, err := t.repository(where)
	if err != nil {
		return stage.Told{}, err
	}
	defer t.checkouts.forget(r)
	c := changeOf(change)
	if !where.PullRequest {
		result, err := r.Commit(ctx, c)
		return committed(result, err)
	}
	result, err := r.Propose(ctx, c)
	if err != nil || result.PullRequest == nil {
		return committed(result, err)
	}
	return toldOf(*result.PullRequest), nil
}

func (t truth) Withdraw(ctx context.Context, where pipeline.Git, change stage.TruthChange) (stage.Told, error) {
	r, err := t.repository(where)
	if err != nil {
		return stage.Told{}, err
	}
	withdrawn, err := r.Withdraw(ctx, changeOf(change))
	if err != nil || withdrawn == nil {
		return stage.Told{}, err
	}
	return toldOf(*withdrawn), nil
}

func committed(result git.Result, err error) (stage.Told, error) {
	told := stage.Told{Done: err == nil, Where: result.Commit}
	if result.Overwritten {
		told.Overwritten = cmp.Or(result.Before, "no image")
	}
	return told, err
}

func changeOf(c stage.TruthChange) git.Change {
	return git.Change{
		Release: c.Release, Service: c.Service, Environment: c.Environment,
		Image: c.Image, Rollback: c.Rollback, Replaces: c.Replaces,
	}
}

func toldOf(p git.PullRequest) stage.Told {
	return stage.Told{Done: p.State == git.Merged, Refused: p.State == git.Closed, Where: p.URL}
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
