package release

import (
	"context"
	"time"

	"github.com/fairwayhq/fairway/internal/auth"
	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

// Drill asks for a drill: what is at home in the environment goes through its canary
// once more, with harm on purpose, and is taken back whatever is found.
type Drill struct {
	Service     string
	Environment string
	// Harm is done to the canary's requests; nil where the artifact is the harm.
	Harm *pipeline.Harm
	// Artifact and Digest name a bad artifact to ship in place of what is at home; empty for none.
	Artifact, Digest string
	// For is how long it may last; 0 is an hour.
	For    time.Duration
	Reason string
	// Key makes a repeated request return the drill that the first one made; empty for none.
	Key string
}

const (
	usualDrill = time.Hour
	leastDrill = time.Minute
	mostDrill  = 24 * time.Hour
)

// Drill begins a drill and returns its release's ID.
func (c *Control) Drill(ctx context.Context, who auth.Identity, a Drill) (string, error) {
	if err := need(who, "hold drills", mayDrill...); err != nil {
		return "", err
	}
	if err := a.validate(); err != nil {
		return "", err
	}
	now := c.now()
	var id string
	begun := nothing
	err := c.store.Update(ctx, func(tx Tx) error {
		begun = nothing
		first, err := repeated(tx, who.User, a.Key)
		if err != nil {
			return err
		}
		if first != nil {
			id = first.ID
			return a.sameAs(*first)
		}
		if err := tx.Turn(a.Service); err != nil {
			return err
		}
		home, plan, err := a.plan(tx, now)
		if err != nil {
			return err
		}
		r := restored(home, plan, who.User, a.Reason, now)
		r.RollbackTo, r.DrillOf, r.Version = "", home.ID, plan.Component.Version
		r.Artifact, r.Digest = plan.Component.Artifact, plan.Component.Digest
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

func (a *Drill) validate() error {
	if a.For == 0 {
		a.For = usualDrill
	}
	switch {
	case a.Service == "" || a.Environment == "":
		return fault.Errorf(fault.Invalid, "a drill needs a service and an environment")
	case a.Reason == "":
		return fault.Errorf(fault.Invalid, "a drill harms users, so it needs a reason").WithHint("say why, with --reason")
	case a.For < leastDrill || a.For > mostDrill:
		return fault.Errorf(fault.Invalid, "a drill of %s is not between %s and %s", a.For, leastDrill, mostDrill)
	case a.Harm == nil && a.Artifact == "":
		return fault.Errorf(fault.Invalid, "the drill harms nothing").WithHint("give it a fault, for instance errors=5pp, or a bad artifact")
	case a.Artifact != "" && !digestForm.MatchString(a.Digest):
		return fault.Errorf(fault.Invalid, "%q is not the digest of an artifact", a.Digest).
			WithHint("a digest is sha256: and 64 hexadecimal digits in lower case")
	}
	if h := a.Harm; h != nil && (!(h.Errors >= 0 && h.Errors <= 1) || h.Delay < 0 || !(h.Slower >= 0 && h.Slower <= 100) || *h == (pipeline.Harm{})) {
		return fault.Errorf(fault.Invalid, "the fault must be a share of errors between 0 and 1, a delay, or a slowdown up to 100 times")
	}
	return nil
}

// sameAs refuses a key that made something else.
func (a Drill) sameAs(first Release) error {
	if first.Service == a.Service && first.Note == a.Reason && first.RollbackTo == "" {
		return nil
	}
	return fault.Errorf(fault.Conflict, "the idempotency key %q was already used for another request, which made %s", a.Key, first.label()).
		WithHint("use a new key for a new drill")
}

// plan makes the plan of the drill from that of what is at home: its canary in this
// environment, and nothing else.
func (a Drill) plan(tx Tx, now time.Time) (Release, *pipeline.Plan, error) {
	if _, err := find(tx, a.Service); err != nil {
		return Release{}, nil, err
	}
	homes, err := tx.Homes(a.Service)
	if err != nil {
		return Release{}, nil, err
	}
	if homes[a.Environment] == "" {
		return Release{}, nil, fault.Errorf(fault.Conflict, "nothing of %s is at home in %s, so there is nothing to drill with", a.Service, a.Environment).
			WithHint("`fairway status --service %s` shows where it went", a.Service)
	}
	home, err := loadSubject(tx, homes[a.Environment])
	if err != nil {
		return Release{}, nil, err
	}
	at := home.run.Plan.At(a.Service, a.Environment)
	if all := a.regions(home.run.Plan); at == nil && len(all) > 0 {
		return Release{}, nil, fault.Errorf(fault.Invalid, "%s has %d regions, and a drill is held in one", a.Environment, len(all)).
			WithHint("for instance %s", all[len(all)-1])
	}
	if at == nil {
		return Release{}, nil, fault.Errorf(fault.Conflict, "%s is at home in %s by a release that does not say how it goes there", a.Service, a.Environment).
			WithHint("hold the drill after its next release")
	}
	canary, share, err := a.canary(tx, home)
	if err != nil {
		return Release{}, nil, err
	}
	moving, err := tx.Lane(drive.LaneOf(home.run.Plan, a.Service, at.In()))
	if err != nil {
		return Release{}, nil, err
	}
	if len(moving) > 0 {
		return Release{}, nil, fault.Errorf(fault.Conflict, "a release of %s moves in %s", a.Service, a.Environment).
			WithHint("hold the drill when it has ended")
	}
	plan := home.run.Plan.Alone(at)
	only := &plan.Environments[0]
	only.Needs, only.Stages, only.Budget = nil, []pipeline.Stage{canary}, share
	plan.Supersede, plan.Retreat = false, false
	plan.Drill = &pipeline.Drill{Harm: a.Harm, Of: home.ID, Until: now.Add(a.For).UTC()}
	plan.Component.Version += "-drill"
	if a.Artifact != "" {
		plan.Component.Artifact, plan.Component.Digest = a.Artifact, a.Digest
	}
	return home.Release, plan, nil
}

// regions are the places of the service in the environment, where it has several.
func (a Drill) regions(p *pipeline.Plan) (names []string) {
	for _, e := range p.Places(a.Environment) {
		if p.ServiceOf(e) == a.Service {
			names = append(names, e.Place())
		}
	}
	return names
}

// canary is the environment's canary and what it may spend on a false alarm, as in an
// ordinary release: that of what is at home, or of the newest release that has one
// (what is at home may have been brought back without).
func (a Drill) canary(tx Tx, home subject) (pipeline.Stage, float64, error) {
	p := home.run.Plan
	newest, err := tx.ListReleases(Filter{Service: a.Service, Limit: 20})
	if err != nil {
		return pipeline.Stage{}, 0, err
	}
	for i := 0; ; i++ {
		if e := p.At(a.Service, a.Environment); e != nil && p.Drill == nil {
			for _, s := range e.Stages {
				if s.Kind == pipeline.KindCanary {
					return s, e.FalseAlarm(s.Kind), nil
				}
			}
		}
		if i == len(newest) {
			return pipeline.Stage{}, 0, fault.Errorf(fault.Conflict, "%s has no canary in %s, so nothing would be noticed there", a.Service, a.Environment).
				WithHint("a drill goes through the environment's canary; give it one in fairway.yaml and release")
		}
		record, err := tx.LoadRun(newest[i].ID)
		if err != nil {
			return pipeline.Stage{}, 0, err
		}
		p = record.Run.Plan
	}
}
