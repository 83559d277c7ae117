package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// campaign is the rounds: in each every service is released once, some by another one's release.
type campaign struct {
	*rig
	result *result
	round  int
	flown  int // releases
	queued int // those of them that waited for a lane
	// compared counts the releases that had the steps of undisturbed ones.
	compared int
	homes    map[string]home     // by target, as they should be
	steps    map[string][]string // of undisturbed releases, by service and outcome
	seen     bool                // steps are complete: what comes now is compared with them
	turns    map[*service]int    // how far each service is in its outcomes
}

// home is who should be at home on a target.
type home struct{ release, revision string }

func (r *rig) campaign(ctx context.Context) (*result, error) {
	c := &campaign{
		rig: r, result: &result{}, homes: map[string]home{}, steps: map[string][]string{}, turns: map[*service]int{},
	}
	began := time.Now()
	if err := c.undisturbed(ctx); err != nil {
		return nil, err
	}
	points, err := c.commitPoints()
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(c.o.out, "undisturbed: %d rounds in %s; %d kinds of releases and %d of commits\n", c.round, time.Since(began).Round(time.Second), len(c.steps), len(points))
	c.seen, c.result.points = true, points
	cards := deck(c.o.kills, points, wholeOf(c.o.database), c.random)
	for len(cards) > 0 {
		var kills []kill
		kills, cards, err = c.disturbed(ctx, cards)
		if errors.Is(ctx.Err(), context.Canceled) {
			return nil, errors.New("it was interrupted, so nothing is measured")
		}
		c.result.kills = append(c.result.kills, kills...)
		if err != nil {
			c.wrong([]string{err.Error()})
			break
		}
		redeal(cards, c.cycle())
	}
	c.sum(time.Since(began))
	return c.result, nil
}

func (c *campaign) sum(took time.Duration) {
	for _, p := range slices.Concat(c.servers, c.workers) {
		c.result.processes = append(c.result.processes, p.Name)
	}
	for _, p := range c.servers {
		c.result.servers = append(c.result.servers, p.Name)
	}
	var err error
	if c.result.takeovers, err = c.takeovers(); err != nil {
		c.wrong([]string{err.Error()})
	}
	c.result.compared = c.compared
	c.result.notes = append(c.result.notes, fmt.Sprintf(
		"\n%d rounds, %d releases, of which %d waited for a lane, %d kills in %s; %d requests of users; %d looks at the router's table",
		c.round, c.flown, c.queued, len(c.result.kills), took.Round(time.Second), c.traffic.requests(), c.sampler.looks),
		fmt.Sprintf("%d releases had the steps of undisturbed ones; the other worker went on with %d stages, %d of them taken over from a dead one",
			c.compared, c.result.takeovers.all, c.result.takeovers.orphaned))
}

// wrong notes what must not be, with its round.
func (c *campaign) wrong(faults []string) {
	for _, f := range faults {
		f = fmt.Sprintf("round %d: %s", c.round, f)
		fmt.Fprintln(c.o.out, "WRONG:", f)
		c.result.faults = append(c.result.faults, f)
	}
}

// undisturbed releases every service for the first time, lets users come, and
// then sees every outcome once without a kill.
func (c *campaign) undisturbed(ctx context.Context) error {
	first := c.fly(ctx, func(*service) outcome { return good })
	if faults := c.check(ctx, first); len(faults) > 0 {
		return errors.New("the first releases: " + strings.Join(faults, "; "))
	}
	c.steps = map[string][]string{} // a first release has other steps
	var err error
	if c.traffic, err = startTraffic(c.fleet); err != nil {
		return err
	}
	c.sampler = startSampler(c.rig)
	for range c.cycle() {
		flights := c.fly(ctx, c.nextOutcome)
		if faults := c.check(ctx, flights); len(faults) > 0 {
			return errors.New("undisturbed: " + strings.Join(faults, "; "))
		}
	}
	return nil
}

// cycle is after how many rounds every service has gone through all its outcomes.
func (c *campaign) cycle() (rounds int) {
	for _, s := range c.fleet {
		rounds = max(rounds, len(s.outcomes))
	}
	return rounds
}

func (c *campaign) nextOutcome(s *service) outcome {
	n := c.turns[s]
	c.turns[s] = n + 1
	return s.outcomes[n%len(s.outcomes)]
}

// disturbed is one round with kills. It returns those, and the cards that are left.
func (c *campaign) disturbed(ctx context.Context, cards []card) ([]kill, []card, error) {
	began := time.Now()
	killing, stop := context.WithCancel(ctx)
	k := &killer{rig: c.rig, cards: cards, round: c.round + 1, began: began}
	var done sync.WaitGroup
	done.Go(func() { k.run(killing) })
	flights := c.fly(ctx, c.nextOutcome)
	stop()
	done.Wait()
	if errors.Is(ctx.Err(), context.Canceled) {
		return nil, nil, ctx.Err()
	}
	faults := k.faults
	if err := c.awaitServers(ctx); err != nil {
		return k.kills, k.cards, err
	}
	faults = append(faults, c.check(ctx, flights)...)
	c.wrong(faults)
	for i := range k.kills {
		k.kills[i].survived = len(faults) == 0
	}
	fmt.Fprintf(c.o.out, "round %d: %s; %d kills; %s\n", c.round, tell(flights), len(k.kills), time.Since(began).Round(100*time.Millisecond))
	for _, f := range flights {
		if f.err != nil {
			return k.kills, k.cards, f.err
		}
	}
	return k.kills, k.cards, ctx.Err()
}

func tell(flights []*flight) string {
	var words []string
	for _, f := range flights {
		words = append(words, f.String())
	}
	return strings.Join(words, ", ")
}

// fly makes the releases of a round, all at the same time, and waits for the ends.
func (c *campaign) fly(ctx context.Context, choose func(*service) outcome) []*flight {
	c.round++
	ctx, cancel := context.WithTimeout(ctx, endsWithin)
	defer cancel()
	flights := c.flights(choose)
	var done sync.WaitGroup
	for _, f := range flights {
		done.Go(func() { f.err = c.release(ctx, f) })
	}
	done.Wait()
	c.flown += len(flights)
	return flights
}

// flights are the releases of the round. Who is led by another one is released alone only
// where that one rests, or queues behind it.
func (c *campaign) flights(choose func(*service) outcome) []*flight {
	var flights []*flight
	led := map[*service]bool{}
	for _, s := range c.fleet {
		if led[s] {
			continue
		}
		o := choose(s)
		if o == rests {
			continue
		}
		f := newFlight(s, o, c.round)
		if o == queues {
			f.behind = newFlight(s.with, good, c.round)
			flights = append(flights, f.behind)
		}
		flights = append(flights, f)
		led[s.with] = true
	}
	return flights
}

// commitPoints are the kinds of commits that the undisturbed releases made.
func (c *campaign) commitPoints() ([]string, error) {
	lines, err := c.readTrace()
	var points []string
	for _, l := range lines {
		if l[2] == "commit" {
			points = append(points, l[3:]...)
		}
	}
	slices.Sort(points)
	return slices.Compact(points), err
}
