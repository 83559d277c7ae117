package stage

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/platform"
)

// reversible is a stage that moves traffic: its undo is the same for all of them.
// What was at home before gets the traffic back, and the revision goes.
type reversible struct {
	Deps
	forward Executor
}

func (r reversible) Tick(ctx context.Context, task Task) (Outcome, error) {
	tick := r.forward.Tick
	if task.Undo {
		tick = r.back
	}
	out, err := tick(ctx, task)
	if code := fault.CodeOf(err); (code == fault.Invalid || code == fault.Denied) && untouched(task) {
		return neverBegun(task, err), nil
	}
	return out, err
}

// untouched tells that no stage of the environment has come so far as to change anything:
// each remembers its footing before it does.
func untouched(task Task) bool {
	var own footing
	_, earlier := earlierFooting(task)
	err := recall(task, &own)
	if left, ok := task.Memories[task.Stage.Name]; err == nil && !own.Known && ok {
		err = json.Unmarshal(left, &own)
	}
	return err == nil && !own.Known && !earlier
}

// neverBegun ends a stage whose target cannot even be looked at, because its settings are
// wrong or the worker may not: trying again would change nothing.
func neverBegun(task Task, err error) Outcome {
	if task.Undo {
		return Outcome{Status: Passed, Progress: &Progress{Now: "Nothing was changed, so there is nothing to take back."}}
	}
	return Outcome{Status: Failed, Reason: fault.MessageWithHint(err)}
}

// undoMemory is what an undoing remembers.
type undoMemory struct {
	footing
	Exposed bool `json:"exposed,omitempty"`
	// Stood says whether the previous revision was there when the first undoing began, which one
	// that is still on its way home was not; nil before that.
	Stood *bool `json:"stood,omitempty"`
	// Telling says that the stage may have told the repository of the revision; TakenBack
	// that this was taken back there.
	Telling   bool `json:"telling,omitempty"`
	TakenBack bool `json:"takenBack,omitempty"`
}

func (r reversible) back(ctx context.Context, task Task) (Outcome, error) {
	p, err := r.Platform(task.Platform, task.Settings)
	if err != nil {
		return Outcome{}, err
	}
	m, err := undoing(task)
	if err != nil {
		return Outcome{}, err
	}
	s, err := p.Observe(ctx, task.Target())
	if err != nil {
		return Outcome{}, err
	}
	m.note(task, s)
	m.Exposed = m.Exposed || s.Weights[task.Revision.ID] > 0
	if m.Stood == nil {
		_, stood := s.Revision(m.stable())
		m.Stood = &stood
		if !stood && m.Previous != nil { // remembered before it is placed
			return next(m, 0, nil), nil
		}
	}
	out, err := r.shiftBack(ctx, p, task, s, m)
	out.Exposed = m.Exposed
	return out, err
}

// undoing recalls the undo's own memory, or else what the stage left behind.
func undoing(task Task) (undoMemory, error) {
	var m undoMemory
	if err := recall(task, &m); err != nil || m.Known {
		return m, err
	}
	if left, ok := task.Memories[task.Stage.Name]; ok {
		if err := json.Unmarshal(left, &m); err != nil {
			return m, fmt.Errorf("read what stage %s left: %w", task.Stage.Name, err)
		}
	}
	return m, nil
}

// shiftBack gives the previous revision the traffic as soon as it can bear any,
// brings it to full capacity, and then takes the new one away.
func (r reversible) shiftBack(ctx context.Context, p platform.Platform, task Task, s platform.State, m undoMemory) (Outcome, error) {
	mine := task.Revision.ID
	if m.Mine {
		return Outcome{Status: Passed, State: remember(m)}, nil
	}
	if m.Previous == nil {
		return r.leaveEmpty(ctx, p, task, s, m)
	}
	back, err := place(ctx, p, task, s, *m.Previous, m.Capacity)
	if err == nil && back.Failed != "" && s.Fence < task.Fence {
		// Asked for again after it had failed: a new lease gives instances that had not become
		// ready in time their time again, and starts those that nobody else does. What was
		// refused before is refused again, and has moved no fence.
		if err = p.Place(ctx, task.Lease(), task.Target(), *m.Previous, m.Capacity); fault.CodeOf(err) == fault.Invalid {
			err = nil
		} else {
			back.Failed = ""
		}
	}
	if err != nil {
		return Outcome{}, err
	}
	waits := back.Failed == "" || m.mayRecover(task, s, r.Now())
	if back.Ready == 0 && s.Weights[m.stable()] < platform.Whole {
		if !waits {
			return Outcome{Status: Failed, State: remember(m), Reason: "the previous revision does not come up: " + back.Failed}, nil
		}
		return next(m, readyInterval, &Progress{Now: "Bringing the previous revision back up." + hindered(back), Next: "Then it gets the traffic.", Weight: shareOf(s, mine)}), nil
	}
	was, share := shareOf(s, m.stable()), bearable(s, mine, back.Ready, m.Capacity.Instances)
	if was >= aboutAll {
		share = 1
	}
	if share, err = possibleForStable(ctx, p, task, s, m.stable(), share); err != nil {
		return Outcome{}, err
	}
	// Of a revision that somebody has deleted the platform may still know the former share.
	if was < share || s.Foreign != "" && deleted(task, s) != "" {
		if err := p.Route(ctx, task.Lease(), task.Target(), split(m.stable(), share, mine)); err != nil {
			return Outcome{}, err
		}
	}
	if back.Ready < m.Capacity.Instances && (back.Failed == "" || waits && share < 1) {
		share = max(was, share)
		now := percent(share) + " of the traffic is back on the previous revision, which grows to full capacity." + hindered(back)
		return next(m, readyInterval, &Progress{Now: now, Weight: 1 - share}), nil
	}
	if back.Failed != "" && share < 1 {
		return Outcome{Status: Failed, State: remember(m), Reason: fmt.Sprintf(
			"only %d of %d instances of the previous revision come up, which bear %s of the traffic: %s", back.Ready, m.Capacity.Instances, percent(share), back.Failed)}, nil
	}
	return r.clearAway(ctx, p, task, m)
}

// mayRecover tells that instances of the previous revision which have failed are waited for,
// as long as the undoing has time: who was there before it has been ready before, and is
// started again or replaced by the platform.
func (m undoMemory) mayRecover(task Task, s platform.State, now time.Time) bool {
	previous, _ := s.Revision(m.stable())
	refused := previous.Capacity.Instances < m.Capacity.Instances
	return *m.Stood && !refused && now.Before(task.Deadline)
}

// hindered says what keeps instances from coming up.
func hindered(s standing) string {
	if s.Failed == "" {
		return ""
	}
	return " So far it cannot: " + s.Failed + "."
}

// clearAway takes the new revision away, and what the repository says of it; the previous
// one, if there is any, goes home.
func (r reversible) clearAway(ctx context.Context, p platform.Platform, task Task, m undoMemory) (Outcome, error) {
	if err := p.Retire(ctx, task.Lease(), task.Target(), task.Revision.ID); err != nil {
		return Outcome{}, err
	}
	line, wrong, err := r.takeBackTruth(ctx, task, m)
	switch {
	case err != nil:
		return Outcome{}, err
	case line != nil:
		m.TakenBack = true
		return next(m, 0, &Progress{Now: line.Text}, *line), nil
	}
	if m.Previous != nil {
		awaits, err := settle(ctx, p, task, m.stable())
		stuck := wrong != "" && task.Git.Controller != "" // it brings home what a person has to set right first
		if err != nil || awaits != "" && !stuck {
			return next(m, settleInterval, &Progress{Now: "All traffic is back on the previous revision, which is brought home: " + awaits + "."}), err
		}
	}
	if wrong != "" {
		return Outcome{Status: Failed, State: remember(m), Reason: wrong}, nil
	}
	return Outcome{Status: Passed, State: remember(m), Progress: &Progress{Now: "Rolled back."}}, nil
}

// aboutAll is the share of the traffic from which stable bears the rest as well: whoever
// serves nine users serves the tenth.
const aboutAll = 0.9

// shiftToStable gives stable at once what its ready instances bear, and returns its share
// of the traffic, in [0, 1]; the undoing of the stage goes on from there.
func shiftToStable(ctx context.Context, p platform.Platform, task Task, s platform.State, f footing) (float64, error) {
	was := shareOf(s, f.stable())
	now, _ := s.Revision(f.stable())
	if was == 1 || now.Ready() == 0 {
		return was, nil
	}
	share := bearable(s, task.Revision.ID, now.Ready(), f.Capacity.Instances)
	if was >= aboutAll {
		share = 1
	}
	share, err := possibleForStable(ctx, p, task, s, f.stable(), share)
	if err != nil {
		return was, err
	}
	if share <= was {
		return was, nil
	}
	return share, p.Route(ctx, task.Lease(), task.Target(), split(f.stable(), share, task.Revision.ID))
}

// bearable is the share of the traffic that the ready instances of the previous
// revision bear, in (0, 1]. Where the new one has none that could bear the rest,
// it is all.
func bearable(s platform.State, fresh string, ready, capacity int) float64 {
	now, placed := s.Revision(fresh)
	if ready >= capacity || !placed || now.Ready() == 0 || s.Weights[fresh] == 0 {
		return 1
	}
	return float64(ready) / float64(capacity)
}

// leaveEmpty undoes a first release: there is nothing to go back to.
func (r reversible) leaveEmpty(ctx context.Context, p platform.Platform, task Task, s platform.State, m undoMemory) (Outcome, error) {
	foreign := s.Home != "" && s.Home != task.Revision.ID && s.Weights[s.Home] == platform.Whole
	if !foreign && len(s.Weights) > 0 {
		if err := p.Route(ctx, task.Lease(), task.Target(), nil); err != nil {
			return Outcome{}, err
		}
	}
	return r.clearAway(ctx, p, task, m)
}

// backLine tells how much of the traffic is back, and how long that took from the decision.
func backLine(kind string, task Task, share float64, took time.Duration) Line {
	text := fmt.Sprintf("All traffic in %s is back on the running version.", task.place())
	if share < 1 {
		text = fmt.Sprintf("%s of the traffic in %s is back on the running version, as much as its ready instances bear.", percent(share), task.place())
	}
	return Line{Kind: kind, Text: text, Data: plain(map[string]float64{"weight": 1 - share, "seconds": took.Seconds()})}
}
