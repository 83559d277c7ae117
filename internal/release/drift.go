package release

import (
	"context"
	"errors"
	"iter"
	"maps"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/inquiry"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

// lane is one that may be looked at for drift: nothing moves in it.
type lane struct {
	name, service, environment, home string
	// git says that a repository is compared too.
	git     bool
	inquiry inquiry.Inquiry
}

// placesAtOnce is how many places are looked at at the same time. Each has workers of its
// own, and one whose worker is away must not keep the others waiting.
const placesAtOnce = 16

// LookForDrift asks for the drift of every lane that is at rest, in each place one after the
// other, and writes into the home's chain what has changed since the last time. What could not
// be asked is left as it was; the error names it. A repository that cannot be read is told in
// the chain, and hides nothing of what the cluster says.
func (c *Control) LookForDrift(ctx context.Context) error {
	lanes, err := c.lanesAtRest(ctx)
	if err != nil {
		return err
	}
	var looks []*look
	var places errgroup.Group
	places.SetLimit(placesAtOnce)
	for some := range byPlace(lanes) {
		k := &look{control: c, away: map[string]string{}}
		looks = append(looks, k)
		places.Go(func() error { k.round(ctx, some); return nil })
	}
	_ = places.Wait() // each look has its own failures
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var failed []error
	var same []drive.Drift
	for _, k := range looks {
		failed, same = append(failed, k.failed...), append(same, k.same...)
	}
	return errors.Join(append(failed, c.stillSo(ctx, same))...)
}

// byPlace are the lanes of each environment or region, sorted by their names.
func byPlace(lanes []lane) iter.Seq[[]lane] {
	all := map[string][]lane{}
	for _, l := range lanes {
		all[l.environment] = append(all[l.environment], l)
	}
	return func(yield func([]lane) bool) {
		for _, place := range slices.Sorted(maps.Keys(all)) {
			some := all[place]
			slices.SortFunc(some, func(a, b lane) int { return strings.Compare(a.name, b.name) })
			if !yield(some) {
				return
			}
		}
	}
}

// lanesAtRest are all lanes with a home that can be compared, in which nothing moves or waits.
func (c *Control) lanesAtRest(ctx context.Context) (all []lane, err error) {
	err = c.view(ctx, func(tx Tx) error {
		all = nil
		services, err := tx.Services()
		if err != nil {
			return err
		}
		for _, service := range services {
			homes, err := tx.Homes(service)
			if err != nil {
				return err
			}
			for environment := range homes {
				l, err := laneAtRest(tx, service, environment)
				if err != nil {
					return err
				}
				if l != nil {
					all = append(all, *l)
				}
			}
		}
		return nil
	})
	return all, err
}

// laneAtRest is the lane, or nil if something moves in it or it cannot be compared.
func laneAtRest(tx Tx, service, environment string) (*lane, error) {
	home, err := homeOf(tx, service, environment)
	if err != nil {
		return nil, err
	}
	env := home.run.Plan.At(service, environment)
	if env == nil || env.Platform != pipeline.PlatformKubernetes {
		return nil, nil
	}
	l := &lane{
		name: drive.TargetOf(home.run.Plan, env.Name).String(), service: service, environment: environment, home: home.ID,
		git:     env.Git != nil && env.Git.Key == "", // values of a chart say nothing without it
		inquiry: inquiryOf(inquiry.Drift, home.run.Plan, env),
	}
	moving, err := tx.Lane(drive.LaneOf(home.run.Plan, service, env.In()))
	if err != nil || len(moving) > 0 {
		return nil, err
	}
	return l, nil
}
