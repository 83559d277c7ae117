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

// step is a moment in a release at which something is killed.
type step struct {
	name    string
	version rig.Version
	want    pipeline.RunState
	// reached tells whether it has come.
	reached func(share float64, d client.ReleaseDetail) bool
}

var steps = []step{
	{"placing", rig.V2, pipeline.RunSucceeded, func(share float64, d client.ReleaseDetail) bool {
		return d.State == pipeline.RunRunning && share == 0
	}},
	{"first weight", rig.V2, pipeline.RunSucceeded, func(share float64, _ client.ReleaseDetail) bool { return share > 0 }},
	{"growing", rig.V2, pipeline.RunSucceeded, func(share float64, _ client.ReleaseDetail) bool { return share >= 0.3 }},
	{"watch", rig.V2, pipeline.RunSucceeded, func(share float64, _ client.ReleaseDetail) bool { return share >= 0.95 }},
	{"home updated", rig.V2, pipeline.RunSucceeded, func(share float64, _ client.ReleaseDetail) bool { return share > 0.95 }},
	{"bad, first weight", rig.Fails10, pipeline.RunRolledBack, func(share float64, _ client.ReleaseDetail) bool { return share > 0 }},
	{"taken back", rig.Fails10, pipeline.RunRolledBack, func(_ float64, d client.ReleaseDetail) bool {
		return d.State == pipeline.RunRollingBack
	}},
}

// victims are what is killed, and how it comes back.
var victims = []struct {
	name string
	kill func(context.Context, *rig.Rig) error
}{
	{"worker", func(_ context.Context, r *rig.Rig) error {
		r.Worker.Kill()
		return r.Worker.Start()
	}},
	{"API server", func(ctx context.Context, r *rig.Rig) error { return r.Cluster.RestartAPIServer(ctx) }},
}

// tryKills kills the worker and the API server at each step, and looks whether the release
// ends as it would have. Good releases go to and fro between two equal versions.
func tryKills(ctx context.Context, r *rig.Rig, _ options) ([]bar.Bar, error) {
	team, err := open(ctx, r, rig.TeamOptions{Name: "shop", First: rig.V1, Autoscaled: true})
	if err != nil {
		return nil, err
	}
	survived, all, home := 0, 0, rig.V1
	for _, s := range steps {
		for _, v := range victims {
			if s.want == pipeline.RunSucceeded {
				s.version = other(home)
			}
			state, err := killAt(ctx, r, team, s, v.kill)
			if err != nil {
				return nil, fmt.Errorf("%s killed at %s: %w", v.name, s.name, err)
			}
			wrong := tellWrong(team)
			fmt.Printf("%s killed at %q: %s (right is %s)\n", v.name, s.name, state, s.want)
			all++
			if state == s.want && wrong == 0 {
				survived++
			}
			if state == pipeline.RunSucceeded {
				home = s.version
			}
		}
	}
	return []bar.Bar{
		bar.AtLeast("kills_survived", float64(survived), fmt.Sprintf("of %d", all), float64(all)),
	}, nil
}

func other(home rig.Version) rig.Version {
	if home == rig.V1 {
		return rig.V2
	}
	return rig.V1
}

// killAt ships, waits for the step, kills, and returns how the release ended.
func killAt(ctx context.Context, r *rig.Rig, team *rig.Team, s step, kill func(context.Context, *rig.Rig) error) (pipeline.RunState, error) {
	release, err := team.Ship(ctx, s.version)
	if err != nil {
		return "", err
	}
	waiting, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	for {
		d, err := release.Now(waiting)
		if err != nil {
			return "", err
		}
		if s.reached(team.Route.Now().Canary(), d) {
			break
		}
		if d.State.Final() {
			return "", fmt.Errorf("the release is %s and did not come to this step: %s", d.State, d.Headline)
		}
		if err := pause(waiting, 50*time.Millisecond); err != nil {
			return "", err
		}
	}
	if err := kill(ctx, r); err != nil {
		return "", err
	}
	d, err := end(ctx, release)
	return d.State, err
}
