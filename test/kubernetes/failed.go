package main

import (
	"context"
	"fmt"
	"time"

	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/bar"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/test/kubernetes/rig"
)

// tryFailed releases good versions, the first of which adopts what the team has, and rolls
// each back after its promotion, until there were enough requests. None has errors of its
// own, so every failure is the release's.
func tryFailed(ctx context.Context, r *rig.Rig, o options) ([]bar.Bar, error) {
	began := time.Now()
	team, err := open(ctx, r, rig.TeamOptions{Name: "shop", First: rig.Calm1, Autoscaled: true})
	if err != nil {
		return nil, err
	}
	for {
		release, err := team.Ship(ctx, rig.Calm2)
		if err != nil {
			return nil, err
		}
		d, err := end(ctx, release)
		if err != nil {
			return nil, err
		}
		if d.State != pipeline.RunSucceeded {
			return nil, fmt.Errorf("the good version is %s: %s", d.State, d.Headline)
		}
		if err := pause(ctx, 10*time.Second); err != nil {
			return nil, err
		}
		if d, err = release.RollBack(ctx, "to see what a late rollback costs"); err != nil {
			return nil, err
		}
		if err := atHomeAgain(ctx, team, d, rig.Calm1); err != nil {
			return nil, err
		}
		fmt.Printf("taken back: %s\n", d.Headline)
		if err := pause(ctx, 10*time.Second); err != nil {
			return nil, err
		}
		if len(team.Traffic.Since(began)) >= o.requests {
			break
		}
	}
	answers := team.Traffic.Since(began)
	failed := rig.Count(answers, rig.Answer.Failed)
	for _, a := range answers {
		if a.Failed() {
			fmt.Printf("failed: %s: status %d %s, of %q, after %s\n", a.Due.Format("15:04:05.000"), a.Status, a.Failure, a.Version, a.Took.Round(time.Millisecond))
		}
	}
	fmt.Printf("%d requests in all, %d failed\n", len(answers), failed)
	return []bar.Bar{
		bar.AtMost("failed_requests", float64(failed), "requests", 0),
		bar.AtLeast("failed_requests_of", float64(len(answers)), "requests", float64(o.requests)),
		bar.AtMost("wrong_weights", float64(tellWrong(team)), "sightings", 0),
	}, nil
}

// atHomeAgain is an error unless the rollback went well and the team's Deployment runs the
// version again: failing, or doing nothing, would fail no request either.
func atHomeAgain(ctx context.Context, team *rig.Team, d client.ReleaseDetail, v rig.Version) error {
	if err := rolledBack(d); err != nil {
		return err
	}
	home, err := team.Home(ctx)
	if err == nil && !runs(home, v) {
		err = fmt.Errorf("the release is taken back, and the Deployment runs %s, not %s", home.Image, v.Image())
	}
	return err
}

// rolledBack is an error unless the release has ended so.
func rolledBack(d client.ReleaseDetail) error {
	if d.State != pipeline.RunRolledBack {
		return fmt.Errorf("the rollback of %s ended %s: %s", d.Version, d.State, d.Headline)
	}
	return nil
}
