package release

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/fairwayhq/fairway/internal/auth"
	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

// Rollback takes the release back in one environment (default: the current one).
// A developer may do so with a release of their own; support, SRE and release
// managers with any.
func (c *Control) Rollback(ctx context.Context, who auth.Identity, ref string, a Action) error {
	s, err := c.load(ctx, ref)
	if err != nil {
		return err
	}
	if err := mayTakeBack(who, s.Release); err != nil {
		return err
	}
	e, err := s.environment(a.Environment)
	if err != nil {
		return err
	}
	where := s.meant(a.Environment, e)
	switch s.run.StateOf(where) {
	case pipeline.EnvironmentSucceeded:
		err = c.stillHome(ctx, s, where)
	case pipeline.EnvironmentRolledBack, pipeline.EnvironmentFailed, pipeline.EnvironmentSkipped, pipeline.EnvironmentCancelled:
		err = c.homeElsewhere(ctx, s, where)
	}
	if err != nil {
		return err
	}
	return c.apply(ctx, s, who, pipeline.Event{Kind: pipeline.EventRollback, Environment: where, Reason: a.Reason})
}

func mayTakeBack(who auth.Identity, r Release) error {
	return needOwn(who, "roll back a release of "+r.Author, r.Author, mayRollback...)
}

// stillHome refuses to take a release back where a newer one has taken its place, in all
// regions that are meant.
func (c *Control) stillHome(ctx context.Context, s subject, where string) error {
	return c.view(ctx, func(tx Tx) error {
		homes, err := homesIn(tx, s.run.Plan)
		if err != nil {
			return err
		}
		home := homes[where]
		if home == "" || isHome(&s, homes, where) {
			return nil
		}
		newer, err := tx.LoadRelease(home)
		if err != nil {
			return err
		}
		f := fault.Errorf(fault.Conflict, "%s is no longer what runs in %s: %s is", s.label(), where, newer.label())
		if at := s.homesOf(homes); len(at) > 0 {
			return f.WithHint("%s", s.takeBackIn(at))
		}
		return f.WithHint("roll that one back, or bring an older one home with `fairway rollback %s --to VERSION`", s.Service)
	})
}

// homesIn returns which release is at home in each entry of the plan, by its name, and in the
// environments and regions that the leading service has.
func homesIn(tx Tx, p *pipeline.Plan) (map[string]string, error) {
	homes, err := tx.Homes(p.Service)
	if err != nil {
		return nil, err
	}
	of := map[string]map[string]string{}
	for i := range p.Environments {
		e := &p.Environments[i]
		if e.Service == "" {
			continue
		}
		if of[e.Service] == nil {
			if of[e.Service], err = tx.Homes(e.Service); err != nil {
				return nil, err
			}
		}
		homes[e.Name] = of[e.Service][e.Place()]
	}
	return homes, nil
}

// isHome tells whether the release is at home in the environment, or in one of its regions,
// where no newer one may need it.
func isHome(s *subject, homes map[string]string, where string) bool {
	for _, needed := range drive.AtHome(s.ID, &s.run, where, homes) {
		if needed == "" {
			return true
		}
	}
	return false
}

// homeElsewhere names the environments where the release can still be taken back,
// if there is nothing to do about this one.
func (c *Control) homeElsewhere(ctx context.Context, s subject, where string) error {
	return c.view(ctx, func(tx Tx) error {
		homes, err := homesIn(tx, s.run.Plan)
		if err != nil || isHome(&s, homes, where) {
			return err
		}
		if at := s.homesOf(homes); len(at) > 0 {
			return fault.Errorf(fault.Conflict, "there is nothing to roll back in %s: it is %s", where, s.run.StateOf(where)).WithHint("%s", s.takeBackIn(at))
		}
		return s.needed(tx, homes, where)
	})
}

// needed refuses to take back the only services that are left of the release there, since a
// newer release of another one may need them.
func (s *subject) needed(tx Tx, homes map[string]string, where string) error {
	home := drive.AtHome(s.ID, &s.run, where, homes)
	for _, e := range s.run.Plan.Places(where) {
		by, there := home[e.Name]
		if !there {
			continue
		}
		newer, err := tx.LoadRelease(by)
		if err != nil {
			return err
		}
		version, _ := s.versionOf(e.Service)
		return fault.Errorf(fault.Conflict, "%s %s stays in %s: %s may need it", e.Service, version, e.Place(), newer.label()).
			WithHint("roll that one back first, or bring an older one home with `fairway rollback %s --to VERSION`", e.Service)
	}
	return nil
}

// homesOf are the environments where the release may be taken back, and regions where another
// one is their environment's home.
func (s *subject) homesOf(homes map[string]string) (at []string) {
	for i := range s.run.Plan.Environments {
		e := &s.run.Plan.Environments[i]
		if needed, there := drive.AtHome(s.ID, &s.run, e.Place(), homes)[e.Name]; !there || needed != "" {
			continue
		}
		if homes[e.In()] == s.ID {
			at = append(at, e.In())
		} else {
			at = append(at, e.Place())
		}
	}
	slices.Sort(at)
	return slices.Compact(at)
}

func (r *Release) takeBackIn(at []string) string {
	return fmt.Sprintf("it is still at home in %s: `fairway rollback %s --environment %s` takes it back there",
		strings.Join(at, " and "), r.label(), at[0])
}
