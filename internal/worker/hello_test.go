package worker_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/stage"
	"github.com/fairwayhq/fairway/internal/worker"
)

// greeter is a server that greets, with a clock of its own.
type greeter struct {
	*server
	mu      sync.Mutex
	ahead   time.Duration // of the worker's clock
	takes   time.Duration // each way
	welcome stage.Welcome
	err     error
}

func (g *greeter) Hello(context.Context, stage.Hello) (stage.Welcome, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	time.Sleep(g.takes) // of the test's own clock
	w := g.welcome
	if !w.Now.IsZero() {
		w.Now = time.Now().Add(g.ahead)
	}
	time.Sleep(g.takes)
	return w, g.err
}

func (g *greeter) set(f func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	f()
}

// now is a welcome of this build.
func now() stage.Welcome {
	return stage.Welcome{Wire: stage.Wire, OldestWire: stage.OldestWorker, Version: "v2", Now: time.Now()}
}

// greeted runs a worker that greets, for a while, and returns what it said and was told.
func greeted(t *testing.T, g *greeter, change func()) (log string, offs []time.Duration) {
	t.Helper()
	var said bytes.Buffer
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	w := worker.New(worker.Config{
		Name: "w1", Server: g, Greeter: g, Version: "v1", Executors: map[pipeline.Kind]stage.Executor{},
		Log:      slog.New(slog.NewTextHandler(&said, nil)),
		ClockOff: func(off time.Duration) { offs = append(offs, off) },
	})
	go func() { defer close(ended); _ = w.Run(ctx) }()
	time.Sleep(30 * time.Second)
	if change != nil {
		change()
		time.Sleep(time.Minute)
	}
	stop()
	<-ended
	return said.String(), offs
}

func TestAWorkerWhoseClockIsOffTakesNoTasks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, off := range []time.Duration{5 * time.Minute, -5 * time.Minute} {
			g := &greeter{server: newServer(), welcome: now(), ahead: off, takes: 50 * time.Millisecond}
			log, offs := greeted(t, g, nil)
			if len(g.asks) > 0 || len(offs) > 0 {
				t.Errorf("%s off it asked %d times for tasks, and took over %v", off, len(g.asks), offs)
			}
			for _, want := range []string{"the clock of this machine says 2000-01-01T", "and the server's says ", "5m0s apart", "NTP"} {
				if !strings.Contains(log, want) {
					t.Errorf("%s off the log does not say %q:\n%s", off, want, log)
				}
			}
			if n := strings.Count(log, "\n"); n > 1 {
				t.Errorf("that was told %d times in half a minute", n)
			}
			greeted(t, g, func() { g.set(func() { g.ahead = 0 }) })
			if len(g.asks) == 0 {
				t.Error("with the clock set right it asks for no tasks")
			}
		}
	})
}

func TestAWorkerGoesByTheServersClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &greeter{server: newServer(), welcome: now(), ahead: -40 * time.Second, takes: 100 * time.Millisecond}
		_, offs := greeted(t, g, nil)
		if len(offs) != 1 || (offs[0]+40*time.Second).Abs() > 100*time.Millisecond || len(g.asks) == 0 {
			t.Errorf("it takes the clock to be off by %v, and asks %d times for tasks", offs, len(g.asks))
		}
		// A slow way leaves in doubt how far a clock is off; that is no reason to refuse.
		g = &greeter{server: newServer(), welcome: now(), ahead: time.Minute + 2*time.Second, takes: 3 * time.Second}
		if log, _ := greeted(t, g, nil); len(g.asks) == 0 {
			t.Errorf("over a slow way it asks for no tasks:\n%s", log)
		}
	})
}

func TestAWorkerTakesNoTasksFromAServerThatItDoesNotUnderstand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, c := range map[string]struct {
			g    *greeter
			says string
		}{
			"a newer one":        {&greeter{welcome: stage.Welcome{Wire: stage.Wire + 5, OldestWire: stage.Wire + 1, Version: "v9"}}, "the server (v9) the versions 5 to 9"},
			"one before this":    {&greeter{err: fault.Errorf(fault.NotFound, "there is no route")}, "and the server (older) the versions 1 to 1"},
			"one that refuses":   {&greeter{err: fault.Errorf(fault.Denied, "the token t1 has expired").WithHint("ask an admin")}, "the token t1 has expired; ask an admin"},
			"one that is silent": {&greeter{err: fault.Errorf(fault.Unavailable, "connection refused")}, "connection refused"},
		} {
			c.g.server = newServer()
			log, _ := greeted(t, c.g, nil)
			if len(c.g.asks) > 0 || !strings.Contains(log, c.says) {
				t.Errorf("%s: asked %d times, and said\n%s", name, len(c.g.asks), log)
			}
			greeted(t, c.g, func() { c.g.set(func() { c.g.welcome, c.g.err = now(), nil }) })
			if len(c.g.asks) == 0 {
				t.Errorf("%s: updated, it is still not asked for tasks", name)
			}
		}
	})
}
