package stage

import (
	"context"
	"fmt"
	"time"

	"github.com/fairwayhq/fairway/internal/platform"
)

// deploy places the revision beside the old one at full capacity, gives it all
// the traffic at once, and takes the old one away.
type deploy struct{ Deps }

func (e *deploy) Tick(ctx context.Context, task Task) (Outcome, error) {
	p, err := e.Platform(task.Platform, task.Settings)
	if err != nil {
		return Outcome{}, err
	}
	var m arrival
	if err := recall(task, &m); err != nil {
		return Outcome{}, err
	}
	s, err := p.Observe(ctx, task.Target())
	if err != nil {
		return Outcome{}, err
	}
	if !m.Known {
		m.note(task, s)
		return next(m, 0, &Progress{Now: "Placing " + name(task) + ".", Next: "When it is ready it gets all the traffic."}), nil
	}
	mine := task.Revision.ID
	if out, lost, err := e.lost(ctx, p, task, s, m.footing); lost || err != nil {
		out.State = remember(m)
		return out, err
	}
	if s.Weights[mine] == platform.Whole && task.Hold != "" {
		return next(m, readyInterval, &Progress{Now: "Held before the old version is taken away: " + task.Hold + ".", Weight: 1}), nil
	}
	if contested(task, s) {
		return waitContested(m, time.Second, task, s), nil
	}
	if s.Weights[mine] == platform.Whole {
		return e.bringHome(ctx, p, task, s, &m, func() any { return m })
	}
	want := m.full(task, s)
	st, err := place(ctx, p, task, s, task.Revision, want)
	switch {
	case err != nil:
		return Outcome{}, err
	case st.Failed != "":
		return Outcome{Status: Failed, State: remember(m), Reason: name(task) + " did not become ready: " + st.Failed}, nil
	case st.Ready < want.Instances:
		return next(m, readyInterval, &Progress{Now: waiting(st, want)}), nil
	case task.Hold != "":
		return next(m, readyInterval, &Progress{Now: "Ready, and held: " + task.Hold + "."}), nil
	}
	if err := p.Route(ctx, task.Lease(), task.Target(), split(mine, 1, "")); err != nil {
		return Outcome{}, err
	}
	out := next(m, 0, &Progress{Now: "All traffic goes to " + name(task) + ".", Weight: 1},
		weightLine("deploy.weight", 1, "All traffic in "+task.place()+" goes to "+name(task)+"."))
	out.Exposed = true
	return out, nil
}

// lost ends a stage whose revision somebody has deleted while it had traffic: stable gets that,
// as far as it is ready, and the undoing does the rest.
func (d Deps) lost(ctx context.Context, p platform.Platform, task Task, s platform.State, f footing) (Outcome, bool, error) {
	why := deleted(task, s)
	if why == "" || s.Weights[task.Revision.ID] == 0 {
		return Outcome{}, false, nil
	}
	decided := d.Now()
	share, err := shiftToStable(ctx, p, task, s, f)
	if err != nil {
		return Outcome{}, false, err
	}
	out := Outcome{Status: Failed, Reason: why, Exposed: true, Progress: &Progress{Now: "Taken back: " + why}}
	if share > 0 {
		out.Lines = []Line{backLine(string(task.Stage.Kind)+".back", task, share, d.Now().Sub(decided))}
	}
	return out, true, nil
}

func waiting(st standing, want platform.Capacity) string {
	now := fmt.Sprintf("Waiting for instances to become ready: %d of %d.", st.Ready, want.Instances)
	if st.Awaits != "" {
		now += " " + st.Awaits + "."
	}
	return now
}

// bringHome ends a stage after which only the task's revision remains: the repository is
// told, the others are retired, and the revision settles.
func (d Deps) bringHome(ctx context.Context, p platform.Platform, task Task, s platform.State, a *arrival, memory func() any) (Outcome, error) {
	if out, done, err := d.tell(ctx, task, a, memory); !done || err != nil {
		return out, err
	}
	for _, r := range s.Revisions {
		if r.Revision.ID == task.Revision.ID {
			continue
		}
		if err := p.Retire(ctx, task.Lease(), task.Target(), r.Revision.ID); err != nil {
			return Outcome{}, err
		}
	}
	if awaits, err := settle(ctx, p, task, task.Revision.ID); err != nil || awaits != "" {
		out := next(memory(), settleInterval, &Progress{Now: name(task) + " has all the traffic and is brought home: " + awaits + ".", Weight: 1})
		out.Exposed = true
		return out, err
	}
	return Outcome{
		Status: Passed, State: remember(memory()), Exposed: true,
		Reason: name(task) + " is at home", Progress: &Progress{Now: name(task) + " has all the traffic.", Weight: 1},
	}, nil
}

// settleInterval is how often a revision that is brought home is looked at.
const settleInterval = time.Second

// settle brings the revision home where a platform has a home of its own, and says what
// it waits for; nothing says that it is there.
func settle(ctx context.Context, p platform.Platform, task Task, revision string) (awaits string, err error) {
	s, ok := p.(platform.Settler)
	if !ok {
		return "", nil
	}
	return s.Settle(ctx, task.Lease(), task.Target(), revision)
}
