package worker_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/platform"
	"github.com/fairwayhq/fairway/internal/stage"
	"github.com/fairwayhq/fairway/internal/worker"
)

// heardLeft skips signs of life until the task is left, and returns what was told before.
func heardLeft(t *testing.T, s *server) (before []stage.Report, left stage.Report) {
	t.Helper()
	for {
		r := hear(t, s)
		switch {
		case r.Left:
			return before, r
		case !r.Alive:
			before = append(before, r)
		}
	}
}

func TestAWorkerThatStopsTellsAllAndGivesItsTasksBack(t *testing.T) {
	s := newServer(aTask("t1"))
	ticks := make(chan struct{}, 10)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	w := worker.New(worker.Config{Name: "w1", Server: s, Log: slog.New(slog.DiscardHandler), Executors: map[pipeline.Kind]stage.Executor{
		pipeline.KindCanary: executor(func(stage.Task) (stage.Outcome, error) {
			ticks <- struct{}{}
			return stage.Outcome{Status: stage.Continue, State: json.RawMessage(`{"level":1}`), After: time.Hour}, nil
		}),
	}})
	s.set(true) // what the tick came to is not heard before the stop
	go func() { ended <- w.Run(ctx) }()
	<-ticks
	s.set(false)
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	before, left := heardLeft(t, s)
	if len(before) != 1 || string(before[0].Outcome.State) != `{"level":1}` {
		t.Errorf("before it was left the server heard %+v", before)
	}
	if left.Task != "t1" || left.Fence != 3 || left.Why != "" {
		t.Errorf("it was left by %+v", left)
	}
}

// crowded counts how many reports it is given at the same time, each of which takes a while.
type crowded struct {
	*server
	now, most, left atomic.Int32
}

func (c *crowded) Report(ctx context.Context, r stage.Report) (stage.Reply, error) {
	n := c.now.Add(1)
	defer c.now.Add(-1)
	for most := c.most.Load(); n > most && !c.most.CompareAndSwap(most, n); most = c.most.Load() {
	}
	time.Sleep(100 * time.Millisecond)
	if r.Left {
		c.left.Add(1)
	}
	return stage.Reply{}, nil
}

func (c *crowded) Signs(_ context.Context, signs stage.Signs) ([]stage.Reply, error) {
	return make([]stage.Reply, len(signs.Tasks)), nil
}

func TestAWorkerThatStopsGivesManyTasksBackFewAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const many = 300
		var tasks []stage.Task
		for i := range many {
			tasks = append(tasks, aTask(fmt.Sprint("t", i)))
		}
		s := &crowded{server: newServer(tasks...)}
		ctx, stop := context.WithCancel(t.Context())
		var begun atomic.Int32
		w := worker.New(worker.Config{Name: "w1", Server: s, Log: slog.New(slog.DiscardHandler), Executors: map[pipeline.Kind]stage.Executor{
			pipeline.KindCanary: executor(func(stage.Task) (stage.Outcome, error) {
				begun.Add(1)
				return stage.Outcome{Status: stage.Continue, After: time.Hour}, nil
			}),
		}})
		ended := make(chan error, 1)
		go func() { ended <- w.Run(ctx) }()
		time.Sleep(10 * time.Second)
		s.most.Store(0)
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if begun.Load() != many || s.left.Load() != many || s.most.Load() > 32 {
			t.Errorf("of %d tasks %d were left, up to %d at the same time", begun.Load(), s.left.Load(), s.most.Load())
		}
	})
}

func TestAnEndingThatAStopCutsOffIsToldOnce(t *testing.T) {
	s := newServer(aTask("t1"))
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	w := worker.New(worker.Config{Name: "w1", Server: s, Log: slog.New(slog.DiscardHandler), Executors: map[pipeline.Kind]stage.Executor{
		pipeline.KindCanary: executor(func(stage.Task) (stage.Outcome, error) {
			stop()
			return stage.Outcome{Status: stage.Passed}, nil
		}),
	}})
	go func() { ended <- w.Run(ctx) }()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	numbers := map[int64]bool{}
	for len(s.heard) > 0 {
		if r := <-s.heard; !r.Alive && !r.Left {
			numbers[r.Number] = r.Outcome.Status == stage.Passed
		}
	}
	if len(numbers) != 1 || !numbers[1] {
		t.Errorf("the server heard the endings %v", numbers)
	}
}

func TestAWorkerThatStopsWhileTheServerIsAwayKeepsAnEnding(t *testing.T) {
	folder := t.TempDir()
	s := newServer(aTask("t1"))
	ticked := make(chan struct{})
	var once sync.Once
	kill := life(t, s, folder, executor(func(stage.Task) (stage.Outcome, error) {
		s.mu.Lock()
		s.hangs = true // no answer is missing yet
		s.mu.Unlock()
		once.Do(func() { close(ticked) })
		return stage.Outcome{Status: stage.Passed, Reason: "good"}, nil
	}))
	<-ticked
	kill()
	s.mu.Lock()
	s.hangs = false
	s.mu.Unlock()
	life(t, s, folder, executor(func(stage.Task) (stage.Outcome, error) {
		t.Error("a task that has ended was ticked again")
		return stage.Outcome{Status: stage.Continue}, nil
	}))
	if r := hear(t, s); r.Outcome.Status != stage.Passed || r.Number != 1 {
		t.Errorf("the next life tells %+v", r)
	}
}

func TestAWorkerThatStopsTellsTheFenceThatWasSeen(t *testing.T) {
	s := newServer(aTask("t1"))
	ctx, stop := context.WithCancel(context.Background())
	w := worker.New(worker.Config{Name: "w1", Server: s, Log: slog.New(slog.DiscardHandler), Executors: map[pipeline.Kind]stage.Executor{
		pipeline.KindCanary: executor(func(task stage.Task) (stage.Outcome, error) {
			stop()
			return stage.Outcome{}, platform.Fenced(task.Target(), 3, 4)
		}),
	}})
	if err := w.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if r := hear(t, s); r.Seen != 4 || r.Left {
		t.Errorf("the server heard %+v", r)
	}
}

func TestATaskOfANewerFairwayIsLeftWithTheReason(t *testing.T) {
	s := newServer(aTask("t1"))
	start(t, s, executor(func(stage.Task) (stage.Outcome, error) {
		return stage.Outcome{}, fmt.Errorf("what it remembers was %w", stage.ErrNewer)
	}), 1)
	if before, left := heardLeft(t, s); len(before) != 0 || left.Why == "" {
		t.Errorf("it was left by %+v after %+v", left, before)
	}
}
