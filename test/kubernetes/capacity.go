package main

import (
	"context"
	"fmt"
	"time"

	"github.com/fairwayhq/fairway/internal/bar"
	"github.com/fairwayhq/fairway/test/kubernetes/rig"
)

// bears is how many requests per second one pod can answer. Three bear the load of 100
// well, one does not.
const bears = 60

// watched is the canary's share of the traffic while it is watched: all but the holdback.
const watched = 0.95

// tryCapacity rolls back, under load, to a stable that a person has shrunk to one pod
// during the watch. Traffic may only come back as fast as pods can bear it.
func tryCapacity(ctx context.Context, r *rig.Rig, _ options) ([]bar.Bar, error) {
	team, err := open(ctx, r, rig.TeamOptions{Name: "shop", First: rig.Calm1, Bears: bears})
	if err != nil {
		return nil, err
	}
	release, err := team.Ship(ctx, rig.Calm2)
	if err != nil {
		return nil, err
	}
	if err := release.UntilShare(ctx, most, func(share float64) bool { return share >= watched }); err != nil {
		return nil, err
	}
	if err := team.Scale(ctx, 1); err != nil {
		return nil, err
	}
	fmt.Println("a person has shrunk stable to one pod")
	// Long enough for pods to go.
	if err := pause(ctx, 10*time.Second); err != nil {
		return nil, err
	}
	pods, err := team.Pods(ctx, "shop")
	if err != nil {
		return nil, err
	}
	if pods != 1 {
		return nil, fmt.Errorf("%d pods of stable are ready, not the one that a person left", pods)
	}
	fmt.Printf("rolling back, with %d pod of stable ready\n", pods)
	began := time.Now()
	d, err := release.RollBack(ctx, "to see whether stable bears it")
	if err != nil {
		return nil, err
	}
	if err := rolledBack(d); err != nil {
		return nil, err
	}
	if err := pause(ctx, 10*time.Second); err != nil {
		return nil, err
	}
	back, err := cameBack(team.Route.Since(began))
	if err != nil {
		return nil, err
	}
	answers := team.Traffic.Since(release.Shipped)
	failed := rig.Count(answers, rig.Answer.Failed)
	fmt.Printf("%s, all traffic back after %.1f s; %d of %d requests failed\n", d.State, back.Sub(began).Seconds(), failed, len(answers))
	for _, w := range team.Route.Since(began) {
		fmt.Printf("  %s %v\n", w.At.Format("15:04:05.000"), w.Of)
	}
	return []bar.Bar{
		bar.AtMost("capacity_first", float64(failed), "requests", 0),
		bar.AtMost("wrong_weights_capacity", float64(tellWrong(team)), "sightings", 0),
	}, nil
}

// cameBack is when the canary had no traffic any more. It is an error if it still has some,
// or if all came back at once, which one pod cannot bear: traffic that stays on a healthy
// canary fails no request either.
func cameBack(seen []rig.Weights) (time.Time, error) {
	inSteps := false
	for _, w := range seen {
		switch share := w.Canary(); {
		case share > 0 && share < watched:
			inSteps = true
		case share == 0 && !inSteps:
			return time.Time{}, fmt.Errorf("all traffic came back at once: %v", seen)
		case share == 0:
			return w.At, nil
		}
	}
	return time.Time{}, fmt.Errorf("the traffic did not come back: %v", seen)
}
