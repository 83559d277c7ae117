package release

import (
	"context"
	"strings"

	"github.com/fairwayhq/fairway/internal/auth"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

// Action is a person's wish with its reason. Environment may be empty: the one that moves.
type Action struct {
	Environment string
	Reason      string
}

// subject is a release with its run, as an action found it.
type subject struct {
	Release
	run pipeline.Run
}

func (c *Control) load(ctx context.Context, ref string) (subject, error) {
	var s subject
	err := c.view(ctx, func(tx Tx) error {
		var err error
		s, err = loadSubject(tx, ref)
		return err
	})
	return s, err
}

func loadSubject(tx Tx, ref string) (subject, error) {
	r, err := find(tx, ref)
	if err != nil {
		return subject{}, err
	}
	record, err := tx.LoadRun(r.ID)
	return subject{Release: r, run: record.Run}, err
}

// apply gives the run the event in the name of who asks.
func (c *Control) apply(ctx context.Context, s subject, who auth.Identity, ev pipeline.Event) error {
	ev.Actor = who.User
	ev.Roles = names(who.Roles)
	return c.drive.Apply(ctx, s.ID, ev)
}

// environment returns the named entry of the run, or the current one; of an environment with
// regions, the one that waits for a person, moves, or was last.
func (s *subject) environment(name string) (*pipeline.EnvironmentRun, error) {
	if e := s.run.Foremost(name); e != nil {
		return e, nil
	}
	var known []string
	for i := range s.run.Plan.Environments {
		if in := s.run.Plan.Environments[i].In(); !contains(known, in) {
			known = append(known, in)
		}
	}
	return nil, fault.Errorf(fault.Invalid, "%s does not go to an environment %q", s.label(), name).
		WithHint("its environments are %s", either(known))
}

// meant is the name that an action without one is about: all regions, where the environment
// of the entry has several. Who names the entry of one service means all that are there.
func (s *subject) meant(name string, e *pipeline.EnvironmentRun) string {
	plan := s.run.Plan.Environment(e.Name)
	switch {
	case name == "":
		return plan.In()
	case name == plan.Name:
		return plan.Place()
	}
	place, _, _ := strings.Cut(name, ":")
	return place
}

// label names the release for people.
func (r *Release) label() string {
	if r.Version == "" {
		return r.Service + " " + r.ID
	}
	return r.Service + "@" + r.Version
}
