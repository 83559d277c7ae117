package worker_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/stage"
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
