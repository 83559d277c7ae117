package worker

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/stage"
)

// told is a task whose outcome was sent.
func told(t *testing.T, status stage.Status) *carrying {
	w := New(Config{Name: "w1", Log: slog.New(slog.DiscardHandler)})
	_, lose := context.WithCancelCause(t.Context())
	c := &carrying{w: w, log: w.c.Log, lose: lose, changed: make(chan struct{}), news: make(chan struct{}, 1), back: make(chan struct{}, 1)}
	c.add(stage.Outcome{Status: status})
	c.nextReport(false)
	return c
}

// Signs of life and reports are answered on two ways, so answers come in any order.
func TestASignsAnswerDoesNotDropTheTaskThatFollows(t *testing.T) {
	c, sent := told(t, stage.Passed), time.Now()
	c.answered(stage.Reply{Cancelled: true, Taken: true, Next: &stage.Task{ID: "t2"}}, sent, true)
	c.signed(stage.Reply{Cancelled: true}, sent, 0)
	if c.follows == nil {
		t.Error("what follows was forgotten")
	}
	c = told(t, stage.Passed)
	c.signed(stage.Reply{Cancelled: true}, sent, 0)
	if c.over {
		t.Error("the answer to the outcome is not waited for")
	}
}

func TestAPauseIsLiftedOnlyByWhatWasSentAfterIt(t *testing.T) {
	c, sent := told(t, stage.Continue), time.Now()
	c.answered(stage.Reply{Hold: "paused"}, sent, true)
	c.answered(stage.Reply{}, sent.Add(time.Nanosecond), false) // sent later, and read before
	if c.next().Hold != "paused" {
		t.Error("the pause was lifted by an answer that is older")
	}
	c.answered(stage.Reply{}, time.Now().Add(time.Millisecond), false)
	if hold := c.next().Hold; hold != "" {
		t.Errorf("the pause has ended, and the task has the hold %q", hold)
	}
}
