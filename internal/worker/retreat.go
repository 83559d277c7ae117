package worker

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"time"

	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/platform"
	"github.com/fairwayhq/fairway/internal/stage"
)

// retreat is the undoing of a stage that failed while the server could not be reached: the
// first thing that the server would ask for. It moves traffic back under the fence that the
// failed stage had. Once the server has heard of the failure, its own undoing finds it done.
type retreat struct {
	executor stage.Executor
	state    json.RawMessage
	// next is when it may take the next step; over says that it is done, or somebody else's.
	next time.Time
	over bool
}

// undoLimit is how long what recovers by itself is waited for.
const undoLimit = time.Hour

// undoable are the kinds of stages that move traffic, whose undoing only ever gives it back,
// and that do not give it back themselves when they fail, as a canary does: whoever gets its
// task next reads from what is left of it that it was taken back.
func undoable(k pipeline.Kind) bool { return k == pipeline.KindDeploy || k == pipeline.KindPromote }

// step does the next step of the undoing, if there is one to do.
func (c *carrying) step(ctx context.Context, r *retreat) {
	c.mu.Lock()
	t, failed := c.task, c.lost && c.unsaid.failed()
	c.mu.Unlock()
	if r.over || !failed || t.Undo || !undoable(t.Stage.Kind) || r.executor == nil || time.Now().Before(r.next) {
		return
	}
	t.Memories = maps.Clone(t.Memories)
	if t.Memories == nil {
		t.Memories = map[string]json.RawMessage{}
	}
	t.Memories[t.Stage.Name] = t.State
	t.Undo, t.State, t.Hold, t.Deadline = true, r.state, cutOff, c.w.c.Now().Add(undoLimit)
	out, err := tick(ctx, r.executor, t)
	c.addBack(out.Lines)
	switch {
	case errors.Is(err, platform.ErrFenced), err == nil && out.Status != stage.Continue:
		r.over = true
	case err != nil:
		r.next = time.Now().Add(retryMost)
	default:
		r.next = time.Now().Add(out.After)
		if out.State != nil {
			r.state = out.State
		}
	}
	if err != nil && ctx.Err() == nil {
		c.log.Warn("A step back failed.", "error", err)
	}
}

// addBack keeps what a step of the retreat tells, beside the ending that the server has not
// heard yet, or behind it.
func (c *carrying) addBack(lines []stage.Line) {
	if len(lines) == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	out := stage.Outcome{Status: stage.Continue, Lines: lines}
	if ending := c.unsaid.rest; ending != nil {
		out.Status, out.Reason = ending.Status, ending.Reason
	}
	c.keep(out)
}
