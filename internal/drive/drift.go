package drive

import (
	"context"
	"time"

	"github.com/fairwayhq/fairway/internal/ledger"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

// Drift is what was last seen of what has drifted in a lane.
type Drift struct {
	Lane string
	// Release is the one that was at home.
	Release string
	// Seen is where what runs is not as that release says.
	Seen
	// Git is where it is not as the repository says; nil where none is compared.
	Git *GitDrift
	// At is when somebody looked last; zero is never.
	At time.Time
}

// Seen is where what runs is not as it should be.
type Seen struct {
	// Hash tells one drift from another; empty where nothing had drifted.
	Hash string `json:"hash,omitempty"`
	// Count is how many fields and objects had drifted.
	Count int `json:"count,omitempty"`
	// Fields are the first of them, for people, without values.
	Fields []string `json:"fields,omitempty"`
	// Since is when it was first seen as it is.
	Since time.Time `json:"since,omitzero"`
}

// GitDrift is where what runs is not as the repository says that holds the truth.
type GitDrift struct {
	Seen
	// More is how many of the fields are as the release says all the same.
	More int `json:"more,omitempty"`
	// Unknown says why the repository could not be compared the last time; empty where it
	// was. What was seen before stands until it is known better.
	Unknown string `json:"unknown,omitempty"`
}

// gate is the drift as a gate sees it.
func (d Drift) gate() pipeline.Drift {
	seen := pipeline.Drift{Count: d.Count, Plan: d.Count, At: d.At}
	if d.Git != nil {
		seen.Count, seen.Git, seen.GitUnknown = d.Count+d.Git.More, d.Git.Count, d.Git.Unknown != ""
	}
	return seen
}

// Drifts keeps what was last seen in each lane.
type Drifts interface {
	SaveDrift(d Drift) error
	// Drift returns what was last seen in the lane; its At is zero if nobody ever looked.
	Drift(lane string) (Drift, error)
}

// fillDrift fills in what was last seen of each service that has a gate where the gate is.
// From nothing, where no release is at home yet, nothing can have drifted.
func (t *transition) fillDrift(run *pipeline.Run) error {
	run.Drift = nil
	for i := range run.Plan.Environments {
		e := &run.Plan.Environments[i]
		for j := range e.Stages {
			s := &e.Stages[j]
			about := run.Plan.About(e, s)
			if _, filled := run.Drift[about]; filled || s.Kind != pipeline.KindGate {
				continue
			}
			seen, known, err := t.driftIn(run.Plan, e, run.Plan.ComponentAt(e, s).Service)
			if err != nil {
				return err
			}
			if run.Drift == nil {
				run.Drift = map[string]pipeline.Drift{}
			}
			if known {
				run.Drift[about] = seen
			}
		}
	}
	return nil
}

// driftIn is what was last seen of the service where the entry goes; what is done once for all
// regions goes to each of them.
func (t *transition) driftIn(plan *pipeline.Plan, e *pipeline.Environment, service string) (all pipeline.Drift, known bool, err error) {
	if e.Leg == nil || e.Wave() > 0 {
		return t.driftAt(TargetOf(plan, e.Name).String())
	}
	all.At = t.now
	for _, place := range plan.Places(e.In()) {
		if plan.ServiceOf(place) != service {
			continue
		}
		one, known, err := t.driftAt(TargetOf(plan, place.Name).String())
		if err != nil || !known {
			return all, false, err
		}
		all.Count, all.Plan, all.Git = all.Count+one.Count, all.Plan+one.Plan, all.Git+one.Git
		all.GitUnknown = all.GitUnknown || one.GitUnknown
		if one.At.Before(all.At) {
			all.At = one.At
		}
	}
	return all, true, nil
}

func (t *transition) driftAt(target string) (pipeline.Drift, bool, error) {
	home, err := t.tx.Home(target)
	if err != nil {
		return pipeline.Drift{}, false, err
	}
	seen, err := t.tx.Drift(target)
	switch {
	case err != nil:
		return pipeline.Drift{}, false, err
	case home == "":
		return pipeline.Drift{At: t.now}, true, nil
	case home == seen.Release && !seen.At.IsZero():
		return seen.gate(), true, nil
	}
	return pipeline.Drift{}, false, nil
}

// Note adds lines to the release's chain, in the caller's transaction. They change nothing
// about its run, which may have ended. Call committed after the commit.
func (d *Drive) Note(tx Tx, release string, lines ...ledger.Event) (committed func(), err error) {
	t := &transition{tx: tx, now: d.now()}
	rec, err := tx.LoadRun(release)
	if err != nil {
		return nil, err
	}
	for i := range lines {
		lines[i].Release, lines[i].At = release, t.now
	}
	if err := t.append(&rec, lines); err != nil {
		return nil, err
	}
	if err := tx.SaveRun(rec, rec.Wake); err != nil {
		return nil, err
	}
	return func() { d.tell(context.Background(), t) }, nil
}
