package worker_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/stage"
)

// countingServer counts requests.
type countingServer struct {
	*server
	mu             sync.Mutex
	signs, reports int
	most           int // signs in one request
}

func (c *countingServer) Signs(ctx context.Context, signs stage.Signs) ([]stage.Reply, error) {
	c.mu.Lock()
	c.signs++
	c.most = max(c.most, len(signs.Tasks))
	c.mu.Unlock()
	return make([]stage.Reply, len(signs.Tasks)), nil
}

func (c *countingServer) Report(ctx context.Context, r stage.Report) (stage.Reply, error) {
	c.mu.Lock()
	c.reports++
	c.mu.Unlock()
	return stage.Reply{}, nil
}

// A worker with many tasks gives their signs of life together, and tells nothing twice.
func TestManyTasksGiveTheirSignsTogether(t *testing.T) {
	const tasks = 100
	synctest.Test(t, func(t *testing.T) {
		s := &countingServer{server: newServer()}
		for i := range tasks {
			s.tasks = append(s.tasks, aTask(fmt.Sprint("t", i)))
		}
		start(t, s, executor(func(stage.Task) (stage.Outcome, error) {
			return stage.Outcome{Status: stage.Continue, State: []byte(`1`), Progress: &stage.Progress{Now: "waiting"}, After: 10 * time.Second}, nil
		}), tasks)
		time.Sleep(time.Minute)
		s.mu.Lock()
		defer s.mu.Unlock()
		// One each second, and one before the ticks, which all fall together here.
		if s.signs < 50 || s.signs > 75 || s.most != tasks {
			t.Errorf("in a minute %d requests gave signs of life, with at most %d tasks", s.signs, s.most)
		}
		if s.reports != tasks {
			t.Errorf("%d reports were told of %d tasks that wait", s.reports, tasks)
		}
	})
}

// A tick that brings nothing new is followed by the next in good time, though nobody is told.
func TestATaskThatBringsNothingNewDoesNotSpin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		start(t, &countingServer{server: newServer(aTask("t1"))}, executor(func(stage.Task) (stage.Outcome, error) {
			n++
			return stage.Outcome{Status: stage.Continue}, nil
		}), 1)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if n < 20 || n > 60 {
			t.Errorf("in ten seconds it was ticked %d times", n)
		}
	})
}

// overtaking answers the first sign of life after the report that it was sent before.
type overtaking struct {
	*server
	first sync.Once
	told  chan struct{}
}

func (o *overtaking) Signs(ctx context.Context, signs stage.Signs) ([]stage.Reply, error) {
	o.first.Do(func() { <-o.told }) // it was read before the report was taken in
	return make([]stage.Reply, len(signs.Tasks)), nil
}

func (o *overtaking) Report(ctx context.Context, r stage.Report) (stage.Reply, error) {
	if r.Number == 2 {
		time.AfterFunc(time.Millisecond, func() { close(o.told) })
	}
	if r.Number >= 2 {
		return stage.Reply{Hold: "paused"}, nil
	}
	return stage.Reply{}, nil
}

func TestAnAnswerThatWasOvertakenLetsNothingGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &overtaking{server: newServer(aTask("t1")), told: make(chan struct{})}
		holds := make(chan string, 100)
		n := 0
		start(t, o, executor(func(task stage.Task) (stage.Outcome, error) {
			holds <- task.Hold
			n++
			out := stage.Outcome{Status: stage.Continue, Lines: []stage.Line{{Kind: "k", Text: fmt.Sprint(n)}}, After: time.Second}
			if n == 2 {
				out.After = 5 * time.Millisecond // the third tick comes right after the overtaken answer
			}
			return out, nil
		}), 1)
		<-holds
		<-holds
		if hold := <-holds; hold != "paused" {
			t.Errorf("after an answer that was overtaken the task has the hold %q", hold)
		}
	})
}

// deafToSigns takes reports and no signs.
type deafToSigns struct{ *server }

func (deafToSigns) Signs(context.Context, stage.Signs) ([]stage.Reply, error) {
	return nil, fault.Errorf(fault.Unavailable, "connection refused")
}

func TestWithoutAnswersToSignsNothingAdvances(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		holds := make(chan string, 100)
		start(t, deafToSigns{newServer(aTask("t1"))}, executor(func(task stage.Task) (stage.Outcome, error) {
			holds <- task.Hold
			return stage.Outcome{Status: stage.Continue, After: 5 * time.Second}, nil
		}), 1)
		if first := <-holds; first != "" {
			t.Errorf("the first tick is held: %s", first)
		}
		for range 3 {
			if <-holds == "" {
				t.Error("a tick of which the server has not heard is not held")
			}
		}
	})
}
