package release

import (
	"context"
	"fmt"
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

// mayReplace refuses who may not take back every release whose place the older one would take:
// another service may come back with the one that is asked for, and what runs need not be the
// release that was named.
func mayReplace(tx Tx, who auth.Identity, older subject, plan *pipeline.Plan) error {
	homes, err := homesIn(tx, plan)
	if err != nil {
		return err
	}
	for i := range plan.Environments {
		e := &plan.Environments[i]
		home := homes[e.Name]
		stays, err := older.runsAt(tx, home, e.Name)
		if err != nil {
			return err
		}
		if stays || home == "" {
			continue
		}
		now, err := tx.LoadRelease(home)
		if err != nil {
			return err
		}
		what := fmt.Sprintf("replace %s of %s in %s", now.label(), now.Author, e.Place())
		if err := needOwn(who, what, now.Author, mayRollback...); err != nil {
			return err
		}
	}
	return nil
}

// mayRestore refuses while the environment moves, and to bring back what runs there.
func mayRestore(tx Tx, s subject, where string, older subject) error {
	if state := s.run.StateOf(where); state == pipeline.EnvironmentRunning || state == pipeline.EnvironmentRollingBack {
		return fault.Errorf(fault.Conflict, "%s is still %s in %s", s.label(), state, where).
			WithHint("roll it back first: `fairway rollback %s` returns to what ran before", s.label())
	}
	return notHome(tx, older, where)
}

// takesNobodyAlong refuses to bring back those that need the service which is asked for, where
// they have moved on without it: nobody has asked for that. What the leading service needs
// comes back with it.
func takesNobodyAlong(tx Tx, s, older subject, plan *pipeline.Plan, asked string) error {
	if asked == older.Service {
		return nil
	}
	homes, err := homesIn(tx, plan)
	if err != nil {
		return err
	}
	for i := range plan.Environments {
		e := &plan.Environments[i]
		service := plan.ServiceOf(e)
		mine := plan.At(asked, e.Place())
		home := homes[e.Name]
		if service == asked || mine == nil || home == "" || home == s.ID || home == older.ID || home == homes[mine.Name] {
			continue
		}
		now, err := tx.LoadRelease(home)
		if err != nil {
			return err
		}
		return fault.Errorf(fault.Conflict, "%s has %s as well, and %s has moved on in %s since, by %s", older.label(), service, service, e.Place(), now.label()).
			WithHint("release the older version of %s anew, alone: `fairway ship`", asked)
	}
	return nil
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

// notHome refuses to bring back what already runs there, and names where else it
// could be brought back.
func notHome(tx Tx, older subject, environment string) error {
	homes, err := homesIn(tx, older.run.Plan)
	if err != nil {
		return err
	}
	for _, i := range older.run.Plan.Entries(environment) {
		e := &older.run.Plan.Environments[i]
		if e.Leg != nil && e.Wave() == 0 {
			continue
		}
		if here, err := older.runsAt(tx, homes[e.Name], e.Name); err != nil || !here {
			return err
		}
	}
	f := fault.Errorf(fault.Conflict, "%s is already at home in %s", older.label(), environment)
	for _, e := range older.run.Plan.Environments {
		home := homes[e.Name]
		there, err := older.runsAt(tx, home, e.Name)
		if err != nil {
			return err
		}
		if there || home == "" {
			continue
		}
		now, err := tx.LoadRelease(home)
		if err != nil {
			return err
		}
		return f.WithHint("in %s it is not: `fairway rollback %s --to %s --environment %s` brings it back there",
			e.Name, now.label(), older.label(), e.Name)
	}
	return f.WithHint("nothing has to be done; name another release to bring that one back")
}

// runsAt tells whether the release that is at home in the environment has the
// subject's revision.
func (s subject) runsAt(tx Tx, home, environment string) (bool, error) {
	if home == "" {
		return false, nil
	}
	record, err := tx.LoadRun(home)
	if err != nil {
		return false, err
	}
	own := s.run.Plan.Environment(environment)
	if own == nil {
		return false, nil
	}
	at := record.Run.Plan.At(s.run.Plan.ServiceOf(own), own.Place())
	return at != nil && record.Run.Plan.Revision(at) == s.run.Plan.Revision(own), nil
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
