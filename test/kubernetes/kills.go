package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/bar"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/test/kubernetes/rig"
)

// sight is what is seen of a release from outside.
type sight struct {
	state pipeline.RunState
	// share is the part of the traffic that does not go to the team's own Service.
	share float64
	// updated tells that the team's Deployment has the image that it is to have in the end.
	updated bool
	// deployments is how many there are; the team has one.
	deployments int
}

// step is a moment in a release at which something is killed.
type step struct {
	name    string
	reached func(sight) bool
}

// course is a release on which something is killed at one step after the other.
type course struct {
	version rig.Version
	steps   []step
	want    pipeline.RunState
	// home is what the team's Deployment has to run in the end.
	home rig.Version
	// back are the steps of a rollback after the end, if there is to be one.
	back []step
}

var courses = []course{
	{
		version: rig.Fails10, want: pipeline.RunRolledBack, home: rig.V1,
		steps: []step{
			{"bad: placed", func(s sight) bool { return s.deployments > 1 }},
			{"bad: first weight", func(s sight) bool { return s.share > 0 }},
			{"bad: taken back", func(s sight) bool { return s.state == pipeline.RunRollingBack }},
		},
	},
	{
		version: rig.V2, want: pipeline.RunSucceeded, home: rig.V2,
		steps: []step{
			{"placed", func(s sight) bool { return s.deployments > 1 }},
			{"first weight", func(s sight) bool { return s.share > 0 }},
			{"growing", func(s sight) bool { return s.share >= 0.2 }},
			{"watched", func(s sight) bool { return s.share >= 0.95 }},
			{"all traffic beside", func(s sight) bool { return s.share == 1 }},
			{"home updated", func(s sight) bool { return s.share == 1 && s.updated }},
			{"traffic home", func(s sight) bool { return s.share == 0 && s.updated }},
		},
		back: []step{
			{"back: placed", func(s sight) bool { return s.deployments > 1 }},
			{"back: traffic shifted", func(s sight) bool { return s.share > 0 }},
			{"back: home updated", func(s sight) bool { return s.share == 1 && s.updated }},
		},
	},
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

// killer kills one victim.
type killer struct {
	*rig.Rig
	team *rig.Team
	name string
	kill func(context.Context, *rig.Rig) error
}

// tryKills kills the worker and the API server at each step of a bad release, of a good one
// and of its rollback, and looks whether each ends as it would have.
func tryKills(ctx context.Context, r *rig.Rig, _ options) ([]bar.Bar, error) {
	team, err := open(ctx, r, rig.TeamOptions{Name: "shop", First: rig.V1, Autoscaled: true})
	if err != nil {
		return nil, err
	}
	survived, all := 0, 0
	for _, v := range victims {
		k := killer{Rig: r, team: team, name: v.name, kill: v.kill}
		for _, c := range courses {
			wrong, err := k.run(ctx, c)
			if err != nil {
				return nil, fmt.Errorf("%s killed, %s: %w", v.name, c.version.Name, err)
			}
			n := len(c.steps) + len(c.back)
			all += n
			if wrong == "" {
				survived += n
			} else {
				fmt.Printf("WRONG after kills of the %s: %s\n", v.name, wrong)
			}
		}
	}
	return []bar.Bar{bar.AtLeast("kills_survived", float64(survived), fmt.Sprintf("of %d", all), float64(all))}, nil
}

// run takes one course and says what is not as it would have been without kills.
func (k killer) run(ctx context.Context, c course) (wrong string, err error) {
	release, err := k.team.Ship(ctx, c.version)
	if err != nil {
		return "", err
	}
	if err := k.at(ctx, release, c.steps, c.version); err != nil {
		return "", err
	}
	d, err := end(ctx, release)
	if err != nil {
		return "", err
	}
	if wrong, err := k.wrong(ctx, d, c.want, c.home); wrong != "" || err != nil || c.back == nil {
		return wrong, err
	}
	rolledBack := make(chan error, 1)
	go func() {
		d, err = release.RollBack(ctx, "to see what kills do to a late rollback")
		rolledBack <- err
	}()
	if err := k.at(ctx, release, c.back, rig.V1); err != nil {
		return "", err
	}
	if err := <-rolledBack; err != nil {
		return "", err
	}
	return k.wrong(ctx, d, pipeline.RunRolledBack, rig.V1)
}

// at kills at each of the steps.
func (k killer) at(ctx context.Context, release *rig.Release, steps []step, version rig.Version) error {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	for _, s := range steps {
		for {
			now, err := k.look(ctx, release, version)
			if err != nil {
				return err
			}
			if s.reached(now) {
				break
			}
			if err := pause(ctx, 50*time.Millisecond); err != nil {
				return fmt.Errorf("it does not come to %q: %+v: %w", s.name, now, err)
			}
		}
		fmt.Printf("%s killed at %q\n", k.name, s.name)
		if err := k.kill(ctx, k.Rig); err != nil {
			return err
		}
	}
	return nil
}

func (k killer) look(ctx context.Context, release *rig.Release, version rig.Version) (sight, error) {
	d, err := release.Now(ctx)
	if err != nil {
		return sight{}, err
	}
	home, err := k.team.Home(ctx)
	if err != nil {
		return sight{}, err
	}
	all, err := k.team.Deployments(ctx)
	return sight{d.State, k.team.Route.Now().Canary(), runs(home, version), len(all)}, err
}

// wrong says what is not right after a release's end.
func (k killer) wrong(ctx context.Context, d client.ReleaseDetail, want pipeline.RunState, version rig.Version) (string, error) {
	home, err := k.team.Home(ctx)
	if err != nil {
		return "", err
	}
	// The API server takes away what goes with its owner in the background.
	if err := pause(ctx, 5*time.Second); err != nil {
		return "", err
	}
	all, err := k.team.Deployments(ctx)
	if err != nil {
		return "", err
	}
	switch {
	case d.State != want:
		return fmt.Sprintf("it is %s, not %s: %s", d.State, want, d.Headline), nil
	case !runs(home, version):
		return fmt.Sprintf("the Deployment runs %s, not %s", home.Image, version.Image()), nil
	case !slices.Equal(all, []string{"shop"}):
		return fmt.Sprintf("there are the Deployments %v", all), nil
	case tellWrong(k.team) > 0:
		return "the weights were wrong", nil
	}
	return "", nil
}

func runs(home rig.Home, v rig.Version) bool { return strings.HasPrefix(home.Image, v.Image()) }
