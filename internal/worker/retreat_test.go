package worker_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/platform"
	"github.com/fairwayhq/fairway/internal/stage"
)

// failing is an executor whose second tick fails, with the server gone. It hands out the
// ticks of the undoing, whose end is said by end.
func failing(s *server, undoes chan stage.Task, end func(n int) (stage.Outcome, error)) executor {
	n, back := 0, 0
	return func(task stage.Task) (stage.Outcome, error) {
		if task.Undo {
			back++
			undoes <- task
			return end(back)
		}
		if n++; n == 1 {
			return stage.Outcome{Status: stage.Continue, State: json.RawMessage(`{"n":1}`)}, nil
		}
		s.set(true)
		return stage.Outcome{Status: stage.Failed, Reason: "bad", State: json.RawMessage(`{"n":2}`)}, nil
	}
}

func promotion(id string) stage.Task {
	t := aTask(id)
	t.Stage = pipeline.Stage{Name: "promote", Kind: pipeline.KindPromote}
	return t
}

func TestWhatFailsWhileCutOffIsTakenBackAtOnce(t *testing.T) {
	s := newServer(promotion("t1"))
	undoes := make(chan stage.Task, 100)
	start(t, s, failing(s, undoes, func(n int) (stage.Outcome, error) {
		if n < 3 {
			return stage.Outcome{Status: stage.Continue, State: json.RawMessage(`{"back":1}`)}, nil
		}
		return stage.Outcome{Status: stage.Passed, Lines: []stage.Line{{Text: "undone"}}}, nil
	}), 1)
	hear(t, s)
	first, second := <-undoes, <-undoes
	if string(first.Memories["promote"]) != `{"n":2}` || first.State != nil || first.Fence != 3 || first.Hold == "" {
		t.Errorf("the undoing begins with %+v", first)
	}
	if string(second.State) != `{"back":1}` {
		t.Errorf("the undoing goes on with the state %s", second.State)
	}
	<-undoes
	s.set(false)
	if r := hear(t, s); r.Outcome.Status != stage.Failed || string(r.Outcome.State) != `{"n":2}` || len(r.Outcome.Lines) > 0 {
		t.Errorf("the failure is told as %+v", r)
	}
	if r := hear(t, s); len(r.Outcome.Lines) != 1 || r.Outcome.Lines[0].Text != "undone" || r.Outcome.Lines[0].At.IsZero() {
		t.Errorf("the way back is told as %+v", r)
	}
	if len(undoes) > 0 {
		t.Error("what is undone is undone again")
	}
}

// endingServer takes a task away when it hears of its ending.
type endingServer struct{ *server }

func (s endingServer) Report(ctx context.Context, r stage.Report) (stage.Reply, error) {
	reply, err := s.server.Report(ctx, r)
	if err == nil && r.Outcome.Status == stage.Failed {
		reply = stage.Reply{Cancelled: true, Taken: true}
	}
	return reply, err
}

func TestTheWayBackIsToldLateWhereTheTaskIsOver(t *testing.T) {
	s := newServer(promotion("t1"))
	undoes := make(chan stage.Task, 100)
	start(t, endingServer{s}, failing(s, undoes, func(int) (stage.Outcome, error) {
		return stage.Outcome{Status: stage.Passed, Lines: []stage.Line{{Text: "undone"}}}, nil
	}), 1)
	hear(t, s)
	<-undoes
	s.set(false)
	if r := hear(t, s); r.Outcome.Status != stage.Failed || r.Late {
		t.Errorf("the failure is told as %+v", r)
	}
	if r := hear(t, s); !r.Late || len(r.Outcome.Lines) != 1 || r.Outcome.Lines[0].Text != "undone" {
		t.Errorf("the way back is told as %+v", r)
	}
}

func TestATargetThatObeysAnotherIsNotTakenBack(t *testing.T) {
	s := newServer(promotion("t1"))
	undoes := make(chan stage.Task, 100)
	start(t, s, failing(s, undoes, func(int) (stage.Outcome, error) {
		return stage.Outcome{}, platform.Fenced(platform.Target{}, 3, 4)
	}), 1)
	hear(t, s)
	<-undoes
	s.set(false)
	hear(t, s)
	if len(undoes) > 0 {
		t.Error("it is tried again against a newer fence")
	}
}

// An undoing that fails asks a person; only the server can.
func TestAnUndoingThatFailsIsNotTriedAgainWithoutTheServer(t *testing.T) {
	undo := promotion("t1")
	undo.Undo = true
	s := newServer(undo)
	n := 0
	start(t, s, executor(func(stage.Task) (stage.Outcome, error) {
		n++
		s.set(true)
		return stage.Outcome{Status: stage.Failed, Reason: "bad"}, nil
	}), 1)
	waitFor(t, "the server is gone", func() bool { s.mu.Lock(); defer s.mu.Unlock(); return s.down })
	s.set(false)
	hear(t, s)
	if n != 1 {
		t.Errorf("an undoing that failed was ticked %d times", n)
	}
}

func TestAPanicEndsNoWorker(t *testing.T) {
	s := newServer(aTask("t1"))
	n := 0
	start(t, s, executor(func(stage.Task) (stage.Outcome, error) {
		if n++; n == 1 {
			panic("index out of range")
		}
		return stage.Outcome{Status: stage.Passed}, nil
	}), 1)
	if r := hear(t, s); r.Outcome.Progress == nil || strings.Contains(r.Outcome.Progress.Now, "index") {
		t.Errorf("the panic is told as %+v", r.Outcome)
	}
	if r := hear(t, s); r.Outcome.Status != stage.Passed {
		t.Errorf("after it comes %+v", r.Outcome)
	}
}
