package worker_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairwayhq/fairway/internal/stage"
)

func TestALongPauseKeepsTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(aTask("t1"))
		start(t, s, executor(func(stage.Task) (stage.Outcome, error) {
			return stage.Outcome{Status: stage.Continue, After: 5 * time.Minute}, nil
		}), 1)
		if r := hearAny(t, s); r.Alive {
			t.Fatal("a sign of life came before the first report")
		}
		for n := range 20 {
			before := time.Now()
			if r := hearAny(t, s); !r.Alive || r.Fence != 3 || time.Since(before) > 2*time.Second {
				t.Fatalf("sign %d came after %s: %+v", n, time.Since(before), r)
			}
		}
	})
}

func TestATaskThatIsTakenOverInAPauseIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		second := aTask("t2")
		s := newServer(aTask("t1"), second)
		ticks := make(chan string, 10)
		start(t, s, executor(func(task stage.Task) (stage.Outcome, error) {
			ticks <- task.ID
			return stage.Outcome{Status: stage.Continue, After: 5 * time.Minute}, nil
		}), 1)
		if id := <-ticks; id != "t1" {
			t.Fatalf("the first task is %s", id)
		}
		hear(t, s)
		s.mu.Lock()
		s.reply = stage.Reply{Cancelled: true}
		s.mu.Unlock()
		began := time.Now()
		if id := <-ticks; id != "t2" || time.Since(began) > 10*time.Second {
			t.Fatalf("after %s the worker went on with %s", time.Since(began), id)
		}
	})
}
