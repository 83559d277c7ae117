package stage

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/platform"
)

// promote makes the revision the target's home: the rest of the traffic after a
// canary (direct), all at once beside the old one (blue-green), or capacity and
// traffic in batches (rolling).
type promote struct{ Deps }

type promoteMemory struct {
	arrival
	// Batch is the batch under way, from 1; Since is when its traffic was routed.
	Batch int       `json:"batch,omitempty"`
	Since time.Time `json:"since,omitzero"`
}

func (e *promote) Tick(ctx context.Context, task Task) (Outcome, error) {
	p, err := e.Platform(task.Platform, task.Settings)
	if err != nil {
		return Outcome{}, err
	}
	var m promoteMemory
	if err := recall(task, &m); err != nil {
		return Outcome{}, err
	}
	s, err := p.Observe(ctx, task.Target())
	if err != nil {
		return Outcome{}, err
	}
	if !m.Known {
		m.note(task, s)
		m.Batch = 1
		return next(m, 0, &Progress{Now: "Promoting " + name(task) + ".", Weight: shareOf(s, task.Revision.ID)}), nil
	}
	if out, lost, err := e.lost(ctx, p, task, s, m.footing); lost || err != nil {
		out.State = remember(m)
		return out, err
	}
	c := task.Stage.Promote
	if goal := 1 - c.Holdback; m.stable() == "" || shareOf(s, task.Revision.ID) >= goal-1e-9 && c.Holdback > 0 {
		if m.stable() != "" {
			return e.done(task, m, goal), nil
		}
		m.Batch = max(c.Batches, 1) // a first release has nothing to take batches from
	}
	if contested(task, s) {
		return waitContested(m, time.Second, task, s), nil
	}
	if s.Weights[task.Revision.ID] == platform.Whole && c.Holdback == 0 {
		if task.Hold != "" {
			return next(m, readyInterval, &Progress{Now: "Held before the old version is taken away: " + task.Hold + ".", Weight: 1}), nil
		}
		return e.bringHome(ctx, p, task, s, &m.arrival, func() any { return m })
	}
	return e.batch(ctx, p, task, s, m)
}

// batch brings the capacity and then the traffic of the batch under way.
func (e *promote) batch(ctx context.Context, p platform.Platform, task Task, s platform.State, m promoteMemory) (Outcome, error) {
	c, mine := task.Stage.Promote, task.Revision.ID
	batches := 1
	if c.Strategy == pipeline.Rolling {
		batches = max(c.Batches, 1)
	}
	m.Batch = min(m.Batch, batches)
	part := float64(m.Batch) / float64(batches)
	capacity := platform.Capacity{Instances: int(math.Ceil(part * float64(m.full(task, s).Instances)))}
	st, err := place(ctx, p, task, s, task.Revision, capacity)
	share := shareOf(s, mine)
	switch {
	case err != nil:
		return Outcome{}, err
	case st.Failed != "":
		return Outcome{Status: Failed, State: remember(m), Reason: name(task) + " did not become ready: " + st.Failed}, nil
	case st.Ready < capacity.Instances:
		return next(m, readyInterval, &Progress{Now: waiting(st, capacity), Weight: share}), nil
	case task.Hold != "":
		return next(m, readyInterval, &Progress{Now: "Held: " + task.Hold + ".", Weight: share}), nil
	}
	goal, err := possibleGoal(ctx, p, task, capacity, part*(1-c.Holdback))
	if err != nil {
		return Outcome{}, err
	}
	if m.stable() == "" {
		goal = 1
	}
	if share < goal-1e-9 {
		if err := p.Route(ctx, task.Lease(), task.Target(), split(mine, goal, m.stable())); err != nil {
			return Outcome{}, err
		}
		m.Since = e.Now()
		out := next(m, 0, &Progress{Now: percent(goal) + " of the traffic goes to " + name(task) + ".", Weight: goal},
			weightLine("promote.weight", goal, fmt.Sprintf("%s of the traffic in %s goes to %s.", percent(goal), task.place(), name(task))))
		out.Exposed = true
		return out, nil
	}
	return e.afterBatch(task, m, batches, goal), nil
}

// possibleGoal is the largest share that the platform can give that is not above the
// wanted one; a batch too small for any has none yet.
func possibleGoal(ctx context.Context, p platform.Platform, task Task, c platform.Capacity, want float64) (float64, error) {
	if want >= 1 {
		return want, nil
	}
	possible, err := possibleShares(ctx, p, task, c)
	return possible.AtMost(want), err
}

// afterBatch waits out the pause and goes to the next batch, or ends.
func (e *promote) afterBatch(task Task, m promoteMemory, batches int, share float64) Outcome {
	if m.Batch >= batches {
		return e.done(task, m, share)
	}
	ends := m.Since.Add(task.Stage.Promote.Pause.Std())
	if wait := ends.Sub(e.Now()); wait > 0 {
		return next(m, min(wait, time.Second), &Progress{
			Now: fmt.Sprintf("%s of the traffic goes to %s: batch %d of %d is in.", percent(share), name(task), m.Batch, batches), Next: "Then the next batch follows.", NextAt: ends, Weight: share,
		})
	}
	m.Batch++
	return next(m, 0, nil)
}

func (e *promote) done(task Task, m promoteMemory, share float64) Outcome {
	return Outcome{
		Status: Passed, State: remember(m), Exposed: true,
		Reason:   fmt.Sprintf("%s has %s of the traffic", name(task), percent(share)),
		Progress: &Progress{Now: percent(share) + " of the traffic goes to " + name(task) + ".", Weight: share},
	}
}
