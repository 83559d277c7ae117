package release

import (
	"context"
	"errors"
	"fmt"

	"github.com/fairwayhq/fairway/internal/drift"
	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/fault"
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

// failuresBorne is how many lanes of an environment may fail in a row before the others
// of that environment are left for the next time: its worker is gone, or its cluster.
const failuresBorne = 2

// LookForDrift asks for the drift of every lane that is at rest, one after the other, and
// writes into the home's chain what has changed since the last time. What could not be
// asked is left as it was; the error names it. A repository that cannot be read is told in
// the chain, and hides nothing of what the cluster says.
func (c *Control) LookForDrift(ctx context.Context) error {
	lanes, err := c.lanesAtRest(ctx)
	if err != nil {
		return err
	}
	look := look{inquirer: c.inquirer, failures: map[string]int{}, away: map[string]map[string]string{}}
	var failed []error
	var same []drive.Drift
	for _, l := range lanes {
		if look.failures[l.environment] > failuresBorne {
			continue
		}
		found, err := look.at(ctx, l)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var unchanged *drive.Drift
		if err == nil {
			unchanged, err = c.noteDrift(ctx, l, found)
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", l.name, err))
		}
		if unchanged != nil {
			same = append(same, *unchanged)
		}
	}
	return errors.Join(append(failed, c.stillSo(ctx, same))...)
}

// look is one round through the lanes.
type look struct {
	inquirer Inquirer
	// failures are how many lanes of an environment have failed in a row.
	failures map[string]int
	// away are, by environment, the repositories that cannot be reached, and why.
	away map[string]map[string]string
}

func (k look) at(ctx context.Context, l lane) (found findings, err error) {
	answer, err := k.inquirer.Ask(ctx, l.inquiry)
	if err != nil {
		if fault.CodeOf(err) == fault.Unavailable {
			k.failures[l.environment]++
		}
		return found, err
	}
	k.failures[l.environment] = 0
	found.plan = answer.Differences
	if l.git {
		found.git, found.unknown = k.repository(ctx, l)
	}
	return found, nil
}

// repository asks for the drift from what the repository says. One that cannot be reached
// is not tried for the next lane, and after some of them none is: each may take its time.
func (k look) repository(ctx context.Context, l lane) (differences []drift.Difference, unknown string) {
	q := l.inquiry
	q.About = inquiry.Truth
	away := k.away[l.environment]
	if why, ok := away[q.Git.Repository]; ok {
		return nil, why
	}
	if len(away) > failuresBorne {
		return nil, fmt.Sprintf("%d other repositories could not be reached, so it was left for later", len(away))
	}
	answer, err := k.inquirer.Ask(ctx, q)
	if err == nil {
		return answer.Differences, ""
	}
	why := fault.MessageOf(err)
	if fault.CodeOf(err) == fault.Unavailable {
		if away == nil {
			away = map[string]string{}
			k.away[l.environment] = away
		}
		away[q.Git.Repository] = why
	}
	return nil, why
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
