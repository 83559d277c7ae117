package drive

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
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

// Turns returns the first instant after now at which Active may give another answer
// than it gives now; zero where it never will.
func (f Freeze) Turns(now time.Time) time.Time {
	var at time.Time
	sooner := func(c time.Time) {
		if c.After(now) && (at.IsZero() || c.Before(at)) {
			at = c
		}
	}
	sooner(f.From)
	sooner(f.Until)
	if f.Rule == "" {
		return at
	}
	if rule, err := f.rule(); err == nil {
		if last := rule.Before(now, true); !last.IsZero() {
			sooner(last.Add(f.For.Std()))
		}
		sooner(rule.After(now, false))
	}
	return at
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

// freezeLook is what the last look at the freezes saw.
type freezeLook struct {
	mu sync.Mutex
	// ids are the freezes that there were; looked says that there was a look.
	ids    []string
	looked bool
	// turns is when the first of them begins or ends; zero never.
	turns time.Time
	// again is when lanes are looked at once more.
	again []time.Time
}

// freezeEchoes is how long after a turn the lanes are looked at again. A transaction that was
// under way then may have decided by the time before it, about a lane that nobody saw need
// anything. The store ends one after 30 s: by the last look none of them is left.
var freezeEchoes = []time.Duration{time.Second, 31 * time.Second}

// CheckFreezes tells every lane whether it is frozen now, if a freeze was added or
// ended, began or came to its end since the last look; the first look always does,
// since lanes may have been told by a server before this one. Run does it whenever
// a freeze turns; who adds or ends one may do it at once.
func (d *Drive) CheckFreezes(ctx context.Context) error {
	_, err := d.checkFreezes(ctx)
	return err
}

// checkFreezes returns when the next freeze begins or ends; zero never.
func (d *Drive) checkFreezes(ctx context.Context) (time.Time, error) {
	l := &d.frozen
	l.mu.Lock()
	defer l.mu.Unlock()
	freezes, err := d.listFreezes(ctx)
	if err != nil {
		return time.Time{}, err
	}
	ids := make([]string, len(freezes))
	for i, f := range freezes {
		ids[i] = f.ID
	}
	now := d.now()
	turned := !l.looked || !l.turns.IsZero() && !now.Before(l.turns) || !slices.Equal(ids, l.ids)
	again := slices.DeleteFunc(slices.Clone(l.again), func(at time.Time) bool { return !now.Before(at) })
	if !turned && len(again) == len(l.again) {
		return l.turns, nil
	}
	if turned {
		again = nil
		for _, after := range freezeEchoes {
			again = append(again, now.Add(after))
		}
	}
	// The lanes are told of a later instant than now. What turns in between is
	// after now too, and so is told again.
	if err := d.checkLanes(ctx); err != nil {
		return time.Time{}, err
	}
	l.ids, l.looked, l.turns, l.again = ids, true, firstTurn(freezes, now), again
	return l.turns, nil
}

func (d *Drive) listFreezes(ctx context.Context) (all []Freeze, err error) {
	err = d.store.View(ctx, func(tx Tx) error {
		all, err = tx.Freezes()
		return err
	})
	return all, err
}

func firstTurn(freezes []Freeze, now time.Time) time.Time {
	var first time.Time
	for _, f := range freezes {
		if at := f.Turns(now); !at.IsZero() && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	return first
}

// Frozen says why the lane of the service in the environment does not move, or "".
func (d *Drive) Frozen(tx Tx, service, environment string) (string, error) {
	return (&transition{tx: tx, now: d.now()}).frozen(service, environment)
}

func (t *transition) frozen(service, environment string) (string, error) {
	if !t.freezesRead {
		freezes, err := t.tx.Freezes()
		if err != nil {
			return "", err
		}
		t.freezes, t.freezesRead = freezes, true
	}
	for _, f := range t.freezes {
		if f.Matches(service, environment) && f.Active(t.now) {
			return f.Reason + " (by " + f.By + ")", nil
		}
	}
	return "", nil
}

// frozenFor says why the release's lanes in the environment do not move, or "": what freezes
// one of its services freezes the release.
func (t *transition) frozenFor(plan *pipeline.Plan, environment string) (string, error) {
	for _, service := range plan.ServicesIn(environment) {
		if reason, err := t.frozen(service, environment); reason != "" || err != nil {
			return reason, err
		}
	}
	return "", nil
}

// laneBatch is how many lanes are told in one transaction.
const laneBatch = 20

// checkLanes tells every run in a lane whether it is frozen now, and grants lanes that
// have thawed. All servers do so when a freeze turns, each in an order of its own: so they share
// the work, where in one order they would wait for each other at every step, and reports for both.
func (d *Drive) checkLanes(ctx context.Context) error {
	var lanes []string
	err := d.store.View(ctx, func(tx Tx) (err error) {
		lanes, err = tx.LanesInUse()
		return err
	})
	if err != nil {
		return err
	}
	batches := slices.Collect(slices.Chunk(lanes, laneBatch))
	rand.Shuffle(len(batches), func(i, j int) { batches[i], batches[j] = batches[j], batches[i] })
	for _, some := range batches {
		if err := d.checkBatch(ctx, some); err != nil {
			return err
		}
	}
	return nil
}

// checkBatch is checkLanes for some of the lanes. It looks first without their turns, for which
// reports would wait: another server may have been there.
func (d *Drive) checkBatch(ctx context.Context, lanes []string) error {
	var untold, services []string
	err := d.store.View(ctx, func(tx Tx) error {
		t := &transition{tx: tx, now: d.now()}
		untold, services = nil, nil
		for _, lane := range lanes {
			known, err := t.knowsFreezes(lane)
			if err != nil {
				return err
			}
			if !known {
				untold, services = append(untold, lane), append(services, serviceOf(lane))
			}
		}
		return nil
	})
	if err != nil || len(untold) == 0 {
		return err
	}
	return d.update(ctx, func(t *transition) error {
		if err := t.tx.Turn(services...); err != nil {
			return err
		}
		for _, lane := range untold {
			if err := t.checkLane(lane); err != nil {
				return err
			}
		}
		return nil
	})
}

// knowsFreezes tells whether checkLane has nothing to do for the lane.
func (t *transition) knowsFreezes(lane string) (bool, error) {
	entries, err := t.tx.Lane(lane)
	if err != nil {
		return false, err
	}
	free := len(entries) > 0 && !entries[0].Held
	for _, e := range entries {
		rec, err := t.loadRun(e.Release)
		if err != nil {
			return false, err
		}
		reason, err := t.frozenFor(rec.Run.Plan, e.Environment)
		if err != nil {
			return false, err
		}
		silent := knows(rec, e.Environment, reason) || !free && !advances(&rec.Run, e.Environment)
		if !silent || free && mayHave(rec, e.Environment, reason) {
			return false, nil
		}
	}
	return true, nil
}

// serviceOf is the service of a lane or target.
func serviceOf(lane string) string {
	service, _, _ := strings.Cut(lane, "/")
	return service
}

// checkLane tells the runs in the lane, and grants it. What it does knowsFreezes must see.
func (t *transition) checkLane(lane string) error {
	entries, err := t.tx.Lane(lane)
	if err != nil || len(entries) == 0 {
		return err
	}
	for _, e := range entries {
		rec, err := t.loadRun(e.Release)
		if err != nil {
			return err
		}
		if !advances(&rec.Run, e.Environment) {
			continue
		}
		reason, err := t.frozenFor(rec.Run.Plan, e.Environment)
		if err != nil {
			return err
		}
		if err := t.tellFrozen(rec, e.Environment, reason); err != nil {
			return err
		}
	}
	return t.grantNext(lane)
}
