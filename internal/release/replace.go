package release

import (
	"fmt"

	"github.com/fairwayhq/fairway/internal/auth"
	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

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
		coming, err := comingTo(tx, plan, e)
		if err != nil {
			return err
		}
		for _, id := range append(coming, homes[e.Name]) {
			stays, err := older.runsAt(tx, id, e.Name)
			if err != nil {
				return err
			}
			if stays || id == "" {
				continue
			}
			now, err := tx.LoadRelease(id)
			if err != nil {
				return err
			}
			what := fmt.Sprintf("replace %s of %s in %s", now.label(), now.Author, e.Place())
			if err := needOwn(who, what, now.Author, mayRollback...); err != nil {
				return err
			}
		}
	}
	return nil
}

// comingTo are the releases that will be at home in the entry before one that queues behind all
// that is in its lane: those that move to it or wait for it, and in the place of one that goes
// back already what it goes back to.
func comingTo(tx Tx, plan *pipeline.Plan, e *pipeline.Environment) (all []string, err error) {
	lane, err := tx.Lane(drive.LaneOf(plan, plan.ServiceOf(e), e.In()))
	if err != nil {
		return nil, err
	}
	for _, entry := range lane {
		record, err := tx.LoadRun(entry.Release)
		if err != nil {
			return nil, err
		}
		if record.Run.StateOf(e.In()) != pipeline.EnvironmentRollingBack {
			all = append(all, entry.Release)
			continue
		}
		if back := record.Run.Plan.At(plan.ServiceOf(e), e.Place()); back != nil {
			all = append(all, record.Run.Environment(back.Name).Before)
		}
	}
	return all, nil
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
