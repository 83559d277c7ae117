package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/fairwayhq/fairway/internal/bar"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/test/kubernetes/rig"
)

// undecided is when a good release that is still under way counts as not promoted.
const undecided = 10 * time.Minute

// promoted is the share of the traffic that a proven version has.
const promoted = 0.95

// result is what became of a good version.
type result struct {
	state pipeline.RunState
	// proven is from ship to 95 % of the traffic, or undecided; ended to the end of the
	// watch, with the home updated.
	proven, ended time.Duration
	reason        string
}

func measureGood(ctx context.Context, r *rig.Rig, c config) ([]bar.Bar, error) {
	var mu sync.Mutex
	var results []result
	err := inLanes(ctx, r, c, func(team *rig.Team, lane int) error {
		next, home := rig.V2, rig.V1
		for range shareOf(c.good, c.lanes, lane) {
			g, err := release(ctx, team, next)
			if err != nil {
				return err
			}
			mu.Lock()
			results = append(results, g)
			fmt.Printf("%s: good %s %s: 95 %% after %.0f s, %s; %s\n", team.Name, next.Name, g.state, g.proven.Seconds(), g.end(), g.reason)
			mu.Unlock()
			if g.state == pipeline.RunSucceeded {
				next, home = home, next
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return goodBars(results), nil
}

func goodBars(results []result) []bar.Bar {
	var proven, ended []float64
	back, open := 0, 0
	for _, g := range results {
		proven = append(proven, g.proven.Seconds())
		switch g.state {
		case pipeline.RunSucceeded:
			ended = append(ended, g.ended.Seconds())
		case pipeline.RunRolledBack, pipeline.RunFailed:
			back++
		default:
			open++
		}
	}
	fmt.Println()
	row("good: ship to 95 % of the traffic", proven, "s")
	row("good: ship to the home updated", ended, "s")
	fmt.Printf("  %-36s %d of %d; not decided in time: %d\n\n", "good: taken back by mistake", back, len(results), open)
	return []bar.Bar{
		bar.AtMost("false_rollbacks", float64(back), "releases", 0),
		bar.AtMost("seconds_to_promote", median(proven), "s", 150),
	}
}

// end says when it ended.
func (r result) end() string {
	if !r.state.Final() {
		return fmt.Sprintf("not ended after %.0f s", undecided.Seconds())
	}
	return fmt.Sprintf("ended after %.0f s", r.ended.Seconds())
}

// release ships a good version and sees what becomes of it. One that is not decided in
// time is taken back by hand, so that the next one can move.
func release(ctx context.Context, team *rig.Team, v rig.Version) (result, error) {
	g := result{proven: undecided}
	shipped, err := team.Ship(ctx, v)
	if err != nil {
		return g, err
	}
	d, err := end(ctx, shipped, undecided)
	if err != nil {
		return g, err
	}
	g.state, g.ended = d.State, d.EndedAt.Sub(shipped.Shipped)
	if at := team.Route.When(shipped.Shipped, func(share float64) bool { return share >= promoted }); !at.IsZero() {
		g.proven = at.Sub(shipped.Shipped)
	}
	if g.reason, err = verdict(ctx, shipped); err != nil {
		return g, err
	}
	if !d.State.Final() {
		_, err = shipped.RollBack(ctx, "the benchmark does not wait any longer")
	}
	return g, err
}
