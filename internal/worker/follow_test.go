package worker_test

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/stage"
	"github.com/fairwayhq/fairway/internal/worker"
)

// following is a server that answers the end of t1 with t2.
type following struct {
	*server
	// lost, where it is not nil, says that this answer is lost once, and is closed then. The
	// second wish for tasks gets t2 as well.
	lost   chan struct{}
	wishes atomic.Int32
}

func (f *following) Lease(ctx context.Context, ask stage.LeaseAsk) ([]stage.Task, error) {
	if f.wishes.Add(1) == 2 && f.lost != nil {
		<-f.lost
		return []stage.Task{aTask("t2")}, nil
	}
	return f.server.Lease(ctx, ask)
}

func (f *following) Report(ctx context.Context, r stage.Report) (stage.Reply, error) {
	reply, err := f.server.Report(ctx, r)
	if r.Task != "t1" || !r.Next {
		return reply, err
	}
	if f.lost != nil {
		select {
		case <-f.lost:
		default:
			close(f.lost)
			return stage.Reply{}, fault.Errorf(fault.Unavailable, "connection reset")
		}
	}
	next := aTask("t2")
	return stage.Reply{Cancelled: true, Taken: true, Next: &next}, nil
}

func TestATaskThatComesWithAnAnswerIsCarriedOutAtOnce(t *testing.T) {
	s := &following{server: newServer(aTask("t1"))}
	start(t, s, executor(func(stage.Task) (stage.Outcome, error) { return stage.Outcome{Status: stage.Passed}, nil }), 1)
	for _, want := range []string{"t1", "t2"} {
		if r := hear(t, s.server); r.Task != want || !r.Next {
			t.Errorf("the report is %+v, want one of %s that asks for the next task", r, want)
		}
	}
}

// slowly answers the end of t1 with t2, a while after it was asked.
type slowly struct {
	following
	takes time.Duration
}

func (s *slowly) Signs(ctx context.Context, signs stage.Signs) ([]stage.Reply, error) {
	return oneByOne(ctx, s, signs)
}

func (s *slowly) Report(ctx context.Context, r stage.Report) (stage.Reply, error) {
	if r.Task == "t1" {
		time.Sleep(s.takes)
	}
	return s.following.Report(ctx, r)
}

// What was asked for a while ago may be as old: the task may have been held since, or given away.
func TestATaskThatComesWithALateAnswerDoesNotAdvanceByIt(t *testing.T) {
	for takes, held := range map[time.Duration]bool{100 * time.Millisecond: false, 900 * time.Millisecond: true, 4 * time.Second: true} {
		synctest.Test(t, func(t *testing.T) {
			holds := make(chan string, 100)
			start(t, &slowly{following{server: newServer(aTask("t1"))}, takes}, executor(func(task stage.Task) (stage.Outcome, error) {
				if task.ID == "t1" {
					return stage.Outcome{Status: stage.Passed}, nil
				}
				holds <- task.Hold
				return stage.Outcome{Status: stage.Continue, Lines: []stage.Line{{Kind: "k", Text: "a step"}}, After: time.Second}, nil
			}), 1)
			if first := <-holds; (first != "") != held {
				t.Errorf("after an answer that took %s the first tick has the hold %q", takes, first)
			}
			if second := <-holds; second != "" {
				t.Errorf("after an answer that took %s the second tick has the hold %q", takes, second)
			}
		})
	}
}

// Where answers always take their time, that is no reason to hold what follows.
func TestATaskThatComesFromASlowServerAdvancesByItsAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, first := time.Now(), make(chan string, 1)
		start(t, &slowly{following{server: newServer(aTask("t1"))}, 700 * time.Millisecond}, executor(func(task stage.Task) (stage.Outcome, error) {
			switch {
			case task.ID == "t1" && time.Since(began) < time.Minute:
				return stage.Outcome{Status: stage.Continue, After: 5 * time.Second}, nil
			case task.ID == "t2":
				first <- task.Hold
			}
			return stage.Outcome{Status: stage.Passed}, nil
		}), 1)
		if hold := <-first; hold != "" {
			t.Errorf("the first tick of what follows has the hold %q", hold)
		}
	})
}

// The same lease may come by two ways when an answer was lost. It is carried out once.
func TestATaskThatComesTwiceIsCarriedOutOnce(t *testing.T) {
	s := &following{server: newServer(aTask("t1")), lost: make(chan struct{})}
	var ticks atomic.Int32
	leave := make(chan struct{})
	leaving := sync.OnceFunc(func() { close(leave) })
	start(t, s, executor(func(task stage.Task) (stage.Outcome, error) {
		if task.ID == "t2" {
			ticks.Add(1)
			<-leave
		}
		return stage.Outcome{Status: stage.Passed}, nil
	}), 4)
	t.Cleanup(leaving)
	hear(t, s.server)
	again := hear(t, s.server)
	waitFor(t, "a third wish for tasks", func() bool { return s.wishes.Load() > 2 })
	leaving()
	if r := hear(t, s.server); again.Task != "t1" || r.Task != "t2" {
		t.Errorf("told were %+v and %+v", again, r)
	}
	if n := ticks.Load(); n != 1 {
		t.Errorf("the task was carried out %d times", n)
	}
}

// stopping is stopped while it answers the end of t1 with t2.
type stopping struct {
	*server
	stop func()
}

func (s *stopping) Report(ctx context.Context, r stage.Report) (stage.Reply, error) {
	reply, err := s.server.Report(ctx, r)
	if r.Task != "t1" || !r.Next {
		return reply, err
	}
	s.stop()
	next := aTask("t2")
	return stage.Reply{Cancelled: true, Taken: true, Next: &next}, nil
}

func TestAWorkerThatStopsGivesTheNextTaskBack(t *testing.T) {
	ctx, stop := context.WithCancel(context.Background())
	s := &stopping{newServer(aTask("t1")), stop}
	passes := executor(func(stage.Task) (stage.Outcome, error) { return stage.Outcome{Status: stage.Passed}, nil })
	w := worker.New(worker.Config{
		Name: "w1", Server: s, Log: slog.New(slog.DiscardHandler), Executors: map[pipeline.Kind]stage.Executor{pipeline.KindCanary: passes},
	})
	if err := w.Run(ctx); err != nil {
		t.Fatal(err)
	}
	for len(s.heard) > 0 {
		if r := <-s.heard; r.Task == "t2" && r.Left {
			return
		}
	}
	t.Error("the next task was not given back")
}

// twice leases t1 anew while it is in hand, as after a restart in the middle of an answer.
type twice struct {
	*server
	wishes atomic.Int32
}

func (s *twice) Lease(ctx context.Context, ask stage.LeaseAsk) ([]stage.Task, error) {
	if s.wishes.Add(1) == 2 {
		newer := aTask("t1")
		newer.Fence++
		return []stage.Task{newer}, nil
	}
	return s.server.Lease(ctx, ask)
}

func TestANewerLeaseOfATaskInHandIsGivenBack(t *testing.T) {
	s := &twice{server: newServer(aTask("t1"))}
	start(t, s, executor(func(stage.Task) (stage.Outcome, error) {
		return stage.Outcome{Status: stage.Continue, After: time.Minute}, nil
	}), 4)
	for {
		if r := hearAny(t, s.server); r.Left {
			if r.Task != "t1" || r.Fence != aTask("t1").Fence+1 {
				t.Errorf("given back was %+v", r)
			}
			return
		}
	}
}
