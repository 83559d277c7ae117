package release

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/fairwayhq/fairway/internal/auth"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

// Restore names an older release to bring back, by its ID or its version.
type Restore struct {
	To          string
	Environment string
	Reason      string
	// Key makes a repeated request return the release that the first one made; empty for none.
	Key string
}

// Restore brings an older release of the same service back to one environment. It
// makes a new release of the older one's component whose plan has just that
// environment, with one blue-green promotion, and returns its ID. Who may roll
// back the release that ref names, and every one that it replaces, may do so. The
// same request made again by the same person under the same key returns the first
// release; another one under the key is a conflict.
func (c *Control) Restore(ctx context.Context, who auth.Identity, ref string, a Restore) (string, error) {
	now := c.now()
	var id string
	begun := nothing
	err := c.store.Update(ctx, func(tx Tx) error {
		begun = nothing
		s, err := loadSubject(tx, ref)
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
		asked := s.asked(ref)
		if service, _, ok := strings.Cut(a.To, "@"); ok {
			asked = s.asked(service)
		}
		older, err := findOlder(tx, asked, a.To)
		if err != nil {
			return err
		}
		where := s.meant(a.Environment, e)
		plan, err := restorePlan(older, where)
		if err != nil {
			return err
		}
		r := restored(older.Release, plan, who.User, a.Reason, now)
		first, err := repeated(tx, who.User, a.Key)
		if err != nil {
			return err
		}
		if first != nil { // what it found then is no longer so, since it has begun
			id = first.ID
			return sameAs(*first, r, first.PlanHash == r.PlanHash, a.Key)
		}
		if err := mayReplace(tx, who, older, plan); err != nil {
			return err
		}
		if err := mayRestore(tx, s, where, older); err != nil {
			return err
		}
		if err := takesNobodyAlong(tx, s, older, plan, asked); err != nil {
			return err
		}
		id = r.ID
		if begun, err = c.begin(tx, r, plan); err != nil || a.Key == "" {
			return err
		}
		return tx.Remember(who.User, a.Key, r.ID)
	})
	if err != nil {
		return "", err
	}
	begun()
	return id, nil
}

// asked is the service that a reference to the release names: the leading one, if none.
func (s *subject) asked(ref string) string {
	service, _, _ := strings.Cut(ref, "@")
	if _, known := s.versionOf(service); known {
		return service
	}
	return s.Service
}

// findOlder returns the release to bring back, by ID, version or SERVICE@VERSION.
func findOlder(tx Tx, service, to string) (subject, error) {
	ref := to
	if !isID(to) && !strings.Contains(to, "@") {
		ref = service + "@" + to
	}
	older, err := loadSubject(tx, ref)
	if err != nil {
		return subject{}, err
	}
	if older.run.Plan.Drill != nil {
		return subject{}, fault.Errorf(fault.Invalid, "%s was a drill, and never at home", older.label()).
			WithHint("name the release that it was a drill of: %s", older.run.Plan.Drill.Of)
	}
	if _, known := older.versionOf(service); !known {
		return subject{}, fault.Errorf(fault.Invalid, "%s is a release of %s, not of %s", older.ID, older.Service, service)
	}
	return older, nil
}

// restorePlan is the older plan cut down to one environment and one promotion, in all its
// regions at the same time. Several services go in the opposite order, as they would go back:
// the one that needs others no longer relies on what is new in them when they go.
func restorePlan(older subject, environment string) (*pipeline.Plan, error) {
	plan := *older.run.Plan
	plan.Environments = nil
	services := older.run.Plan.ServicesIn(environment)
	plan.With = slices.DeleteFunc(slices.Clone(plan.With), func(c pipeline.Component) bool { return !slices.Contains(services, c.Service) })
	for _, i := range older.run.Plan.Entries(environment) {
		only := older.run.Plan.Environments[i]
		if only.Leg != nil && only.Wave() == 0 {
			continue
		}
		if only.Leg != nil {
			leg := *only.Leg
			leg.Wave, leg.Bake = 1, 0
			if leg.Step > 0 && !plan.Retreat { // else it is turned round already
				leg.Step = len(services) + 1 - leg.Step
			}
			only.Leg = &leg
		}
		only.Needs = nil
		only.Stages = []pipeline.Stage{{
			Name: "promote", Kind: pipeline.KindPromote, TimeLimit: promoteLimit(&older.run.Plan.Environments[i]),
			Undo:    "traffic goes back to the revision that was home before",
			Promote: &pipeline.Promote{Strategy: pipeline.BlueGreen},
		}}
		plan.Environments = append(plan.Environments, only)
	}
	slices.SortStableFunc(plan.Environments, func(a, b pipeline.Environment) int { return a.Step() - b.Step() })
	if len(plan.Environments) == 0 {
		return nil, fault.Errorf(fault.Invalid, "%s was never made for %s", older.label(), environment).
			WithHint("choose a release whose plan has the environment")
	}
	plan.Supersede = false
	plan.Retreat = true
	return &plan, nil
}

// promoteLimit is the time that the plan gave its own promotion.
func promoteLimit(e *pipeline.Environment) pipeline.Duration {
	for _, s := range e.Stages {
		if s.Kind == pipeline.KindPromote || s.Kind == pipeline.KindDeploy {
			return s.TimeLimit
		}
	}
	return pipeline.Duration(30 * time.Minute)
}

func restored(older Release, plan *pipeline.Plan, author, reason string, now time.Time) Release {
	r := older
	r.Service, r.With = plan.Service, nil
	for _, c := range ComponentsOf(plan) {
		c.Definition = older.definitionOf(c.Service)
		r.With = append(r.With, c)
	}
	r.Definition = older.definitionOf(plan.Service)
	r.ID = newID(now)
	r.Author = author
	r.Note = reason
	r.PlanHash = plan.Hash()
	r.RollbackTo = older.ID
	r.CreatedAt = now
	return r
}
