package drive

import (
	"strings"
	"time"

	"github.com/teambition/rrule-go"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

// Matches tells whether the freeze is about the service's environment.
func (f Freeze) Matches(service, environment string) bool {
	return (f.Service == "" || f.Service == service) && (f.Environment == "" || f.Environment == environment)
}

// Active tells whether lanes stand still at the instant.
func (f Freeze) Active(now time.Time) bool {
	if now.Before(f.From) || !f.Until.IsZero() && !now.Before(f.Until) {
		return false
	}
	if f.Rule == "" {
		return true
	}
	rule, err := f.rule()
	if err != nil {
		return true // a rule that cannot be read holds rather than lets go
	}
	last := rule.Before(now, true)
	return !last.IsZero() && now.Before(last.Add(f.For.Std()))
}

// Validate returns what is wrong with the freeze.
func (f Freeze) Validate() error {
	if strings.TrimSpace(f.Reason) == "" {
		return fault.Errorf(fault.Invalid, "a freeze needs a reason").WithHint("people will read it on every release that waits")
	}
	if !f.Until.IsZero() && !f.Until.After(f.From) {
		return fault.Errorf(fault.Invalid, "the freeze ends at %s, before it begins at %s", f.Until.Format(time.RFC3339), f.From.Format(time.RFC3339))
	}
	if f.Rule == "" {
		return nil
	}
	if f.For <= 0 {
		return fault.Errorf(fault.Invalid, "a recurring freeze needs to say how long it lasts").WithHint("for instance 8h")
	}
	if _, err := f.rule(); err != nil {
		return fault.Errorf(fault.Invalid, "the recurrence %q cannot be read: %w", f.Rule, err).
			WithHint("RFC 5545, for instance FREQ=WEEKLY;BYDAY=FR")
	}
	return nil
}

func (f Freeze) rule() (*rrule.RRule, error) {
	option, err := rrule.StrToROption(strings.TrimPrefix(f.Rule, "RRULE:"))
	if err != nil {
		return nil, err
	}
	option.Dtstart = f.From
	return rrule.NewRRule(*option)
}

// Frozen says why the lane of the service in the environment does not move, or "".
func (d *Drive) Frozen(tx Tx, service, environment string) (string, error) {
	return (&transition{tx: tx, now: d.now()}).frozen(service, environment)
}

func (t *transition) frozen(service, environment string) (string, error) {
	freezes, err := t.tx.Freezes()
	if err != nil {
		return "", err
	}
	for _, f := range freezes {
		if f.Matches(service, environment) && f.Active(t.now) {
			return f.Reason + " (by " + f.By + ")", nil
		}
	}
	return "", nil
}

// checkFreezes tells every run in a lane whether it is frozen now, and grants
// lanes that have thawed.
func (t *transition) checkFreezes() error {
	lanes, err := t.tx.LanesInUse()
	if err != nil {
		return err
	}
	for _, lane := range lanes {
		if err := t.checkLane(lane); err != nil {
			return err
		}
	}
	return nil
}

func (t *transition) checkLane(lane string) error {
	entries, err := t.tx.Lane(lane)
	if err != nil || len(entries) == 0 {
		return err
	}
	service, _, _ := strings.Cut(lane, "/")
	environment := entries[0].Environment
	reason, err := t.frozen(service, environment)
	if err != nil {
		return err
	}
	for _, e := range entries {
		rec, err := t.tx.LoadRun(e.Release)
		if err != nil {
			return err
		}
		if rec.Run.Environment(e.Environment).State != pipeline.EnvironmentRunning {
			continue
		}
		if err := t.tellFrozen(rec, e.Environment, reason); err != nil {
			return err
		}
	}
	return t.grantNext(lane, service, environment)
}
