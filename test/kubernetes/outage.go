package main

import (
	"context"
	"fmt"
	"time"

	"github.com/fairwayhq/fairway/internal/bar"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/test/kubernetes/rig"
)

// outage is how long Prometheus is gone.
const outage = 60 * time.Second

// tryOutage takes Prometheus away as soon as a canary has traffic, for a good and for a
// bad version. Meanwhile the share may not grow, nor may anything be taken back; then it
// has to come to the right end.
func tryOutage(ctx context.Context, r *rig.Rig, _ options) ([]bar.Bar, error) {
	team, err := open(ctx, r, rig.TeamOptions{Name: "shop", First: rig.V1})
	if err != nil {
		return nil, err
	}
	right := 0
	for _, c := range []struct {
		version rig.Version
		want    pipeline.RunState
	}{{rig.Fails2, pipeline.RunRolledBack}, {rig.V2, pipeline.RunSucceeded}} {
		release, err := team.Ship(ctx, c.version)
		if err != nil {
			return nil, err
		}
		if err := release.UntilShare(ctx, 2*time.Minute, func(share float64) bool { return share > 0 }); err != nil {
			return nil, err
		}
		held, err := withoutMetrics(ctx, r, team)
		if err != nil {
			return nil, err
		}
		d, err := end(ctx, release)
		if err != nil {
			return nil, err
		}
		fmt.Printf("%s: held while Prometheus was gone: %t; then %s (right is %s)\n", c.version.Name, held, d.State, c.want)
		if held && d.State == c.want {
			right++
		}
	}
	return []bar.Bar{
		bar.AtLeast("metrics_outage", float64(right), "of 2", 2),
		bar.AtMost("wrong_weights_outage", float64(tellWrong(team)), "sightings", 0),
	}, nil
}

// withoutMetrics takes Prometheus away for a while and tells whether the weights stayed as
// they were. The last samples may still be judged in the first moments.
func withoutMetrics(ctx context.Context, r *rig.Rig, team *rig.Team) (held bool, err error) {
	const underWay = 3 * time.Second
	if err := r.Prometheus.Stop(); err != nil {
		return false, err
	}
	if err := pause(ctx, underWay); err != nil {
		return false, err
	}
	from := time.Now()
	if err := pause(ctx, outage-underWay); err != nil {
		return false, err
	}
	held = len(team.Route.Since(from)) == 1 && team.Route.Now().Canary() > 0
	return held, r.Prometheus.Start(ctx)
}
