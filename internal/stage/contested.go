package stage

import (
	"context"
	"time"

	"github.com/fairwayhq/fairway/internal/judge"
	"github.com/fairwayhq/fairway/internal/platform"
)

// contested tells that somebody else writes the weights, and that no person has decided
// yet what counts. Nobody wins a fight over them; users would be sent to and fro.
func contested(task Task, s platform.State) bool {
	return s.Foreign != "" && task.Decision != "promote"
}

// contestedQuestion is what a person is asked then.
func contestedQuestion(s platform.State) string {
	return s.Foreign + ". Put them back and it goes on by itself, let it go on as it would, or roll back?"
}

// contested judges on with the weights as they are, grows nothing, and asks a person.
// Harm is taken back all the same.
func (t *canaryTick) contested(ctx context.Context) (Outcome, error) {
	given := t.m.Weight
	if share := shareOf(t.s, t.task.Revision.ID); share > 0 {
		t.m.Weight = share
	}
	if t.m.Judge != nil {
		v, err := t.look(ctx)
		if err != nil {
			return Outcome{}, err
		}
		if v.Kind == judge.Fail {
			return t.act(ctx, v)
		}
	}
	t.m.Weight = given
	t.m.Asks = contestedQuestion(t.s)
	out := waitContested(t.m, sampleInterval(t.task.Metrics), t.task, t.s)
	out.Exposed = true
	return out, nil
}

// waitContested waits for a person, or for the weights to be put back.
func waitContested(memory any, after time.Duration, task Task, s platform.State) Outcome {
	out := next(memory, after, &Progress{Now: s.Foreign + ".", Next: "A person decides.", Weight: shareOf(s, task.Revision.ID)})
	out.Asks = contestedQuestion(s)
	return out
}
