package worker_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/judge"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/platform"
	"github.com/fairwayhq/fairway/internal/stage"
	"github.com/fairwayhq/fairway/internal/worker"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server hands out tasks and takes reports, and can be cut off.
type server struct {
	mu    sync.Mutex
	tasks []stage.Task
	asks  []stage.LeaseAsk
	down  bool
	hangs bool // reports vanish on the way
	deaf  bool // reports are taken in, and their answers lost
	reply stage.Reply
	heard chan stage.Report
}

func newServer(tasks ...stage.Task) *server {
	return &server{tasks: tasks, heard: make(chan stage.Report, 1000)}
}

func (s *server) Lease(ctx context.Context, ask stage.LeaseAsk) ([]stage.Task, error) {
	s.mu.Lock()
	s.asks = append(s.asks, ask)
	n := min(len(s.tasks), ask.Max)
	if ask.Full { // they can all wait
		n = 0
	}
	tasks := s.tasks[:n]
	s.tasks = s.tasks[n:]
	s.mu.Unlock()
	switch { // a long poll that finds nothing
	case ask.Full:
		select {
		case <-ctx.Done():
		case <-time.After(ask.Wait):
		}
	case n == 0:
		<-ctx.Done()
	}
	return tasks, nil
}

func (s *server) Report(ctx context.Context, r stage.Report) (stage.Reply, error) {
	s.mu.Lock()
	if s.hangs {
		s.mu.Unlock()
		<-ctx.Done()
		return stage.Reply{}, ctx.Err()
	}
	defer s.mu.Unlock()
	if s.down {
		return stage.Reply{}, fault.Errorf(fault.Unavailable, "connection refused")
	}
	s.heard <- r
	if s.deaf {
		return stage.Reply{}, fault.Errorf(fault.Unavailable, "connection reset")
	}
	return s.reply, nil
}

// Signs are taken in one by one, as reports of their kind.
func (s *server) Signs(ctx context.Context, signs stage.Signs) ([]stage.Reply, error) {
	return oneByOne(ctx, s, signs)
}

func oneByOne(ctx context.Context, s worker.Server, signs stage.Signs) (replies []stage.Reply, err error) {
	for _, sign := range signs.Tasks {
		reply, err := s.Report(ctx, stage.Report{Worker: signs.Worker, Task: sign.Task, Fence: sign.Fence, Alive: true})
		if err != nil {
			return nil, err
		}
		replies = append(replies, reply)
	}
	return replies, nil
}

func (s *server) set(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
}

// executor lets the test answer every tick.
type executor func(t stage.Task) (stage.Outcome, error)

func (e executor) Tick(_ context.Context, t stage.Task) (stage.Outcome, error) { return e(t) }

func aTask(id string) stage.Task {
	return stage.Task{ID: id, Release: "rel1", Environment: "production", Stage: pipeline.Stage{Name: "canary", Kind: pipeline.KindCanary}, Fence: 3}
}

// start runs a worker until the test ends.
func start(t *testing.T, s worker.Server, e stage.Executor, parallel int) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	w := worker.New(worker.Config{
		Name: "w1", Server: s, Parallel: parallel, Executors: map[pipeline.Kind]stage.Executor{pipeline.KindCanary: e, pipeline.KindPromote: e},
		Log: slog.New(slog.DiscardHandler),
	})
	go func() { done <- w.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// hear waits for the next report that says something.
func hear(t *testing.T, s *server) stage.Report {
	t.Helper()
	for {
		if r := hearAny(t, s); !r.Alive {
			return r
		}
	}
}

// hearAny waits for the next report, or sign of life.
func hearAny(t *testing.T, s *server) stage.Report {
	t.Helper()
	select {
	case r := <-s.heard:
		return r
	case <-time.After(10 * time.Second):
		t.Fatal("no report came")
		return stage.Report{}
	}
}

func TestTheStateOfOneTickIsGivenToTheNext(t *testing.T) {
	s := newServer(aTask("t1"))
	n := 0
	start(t, s, executor(func(task stage.Task) (stage.Outcome, error) {
		n++
		if n == 1 {
			return stage.Outcome{Status: stage.Continue, State: json.RawMessage(`1`)}, nil
		}
		if string(task.State) != "1" {
			t.Errorf("the second tick got the state %s", task.State)
		}
		return stage.Outcome{Status: stage.Passed}, nil
	}), 4)
	if r := hear(t, s); r.Outcome.Status != stage.Continue || r.Fence != 3 || r.Worker != "w1" {
		t.Errorf("the first report is %+v", r)
	}
	if r := hear(t, s); r.Outcome.Status != stage.Passed {
		t.Errorf("the second report is %+v", r)
	}
	if !s.asks[0].Resume {
		t.Error("the first ask of a new worker does not take back what it held")
	}
}

func TestAHiccupIsTriedAgain(t *testing.T) {
	s := newServer(aTask("t1"))
	n := 0
	start(t, s, executor(func(stage.Task) (stage.Outcome, error) {
		if n++; n < 3 {
			return stage.Outcome{}, fault.Errorf(fault.Unavailable, "the router does not answer").WithHint("see its log")
		}
		return stage.Outcome{Status: stage.Passed}, nil
	}), 4)
	r := hear(t, s)
	if r.Outcome.Status != stage.Continue || r.Outcome.Progress == nil || r.Outcome.Progress.Now != "trying again: the router does not answer; see its log" {
		t.Errorf("the hiccup was told as %+v", r.Outcome)
	}
	if r := hear(t, s); r.Outcome.Status != stage.Passed {
		t.Errorf("the last report is %+v", r.Outcome)
	}
}

// Cut off, a task is told to hold, what happens is kept in order, and an ending is
// told when the server is back.
func TestCutOffATaskHoldsAndTellsEverythingLater(t *testing.T) {
	s := newServer(aTask("t1"))
	ticks := make(chan stage.Task)
	n := 0
	start(t, s, executor(func(task stage.Task) (stage.Outcome, error) {
		ticks <- task
		n++
		out := stage.Outcome{
			Status: stage.Continue, State: json.RawMessage(fmt.Sprint(n)),
			Lines:  []stage.Line{{Kind: "canary.verdict", Text: fmt.Sprint(n)}},
			Points: []stage.Point{{Sample: judge.Sample{At: time.Unix(int64(n), 0)}}},
		}
		if n == 4 {
			out.Status, out.Reason = stage.Failed, "bad"
		}
		return out, nil
	}), 4)
	if first := <-ticks; first.Hold != "" {
		t.Errorf("the first tick is held: %s", first.Hold)
	}
	hear(t, s)
	s.set(true)
	<-ticks
	for range 2 {
		if held := <-ticks; held.Hold == "" {
			t.Error("a tick while cut off is not held")
		}
	}
	s.set(false)
	var lines []stage.Line
	points := 0
	for number := int64(2); ; number++ {
		r := hear(t, s)
		if r.Number != number {
			t.Fatalf("after the cut report %d is %+v", number, r)
		}
		lines, points = append(lines, r.Outcome.Lines...), points+len(r.Outcome.Points)
		if r.Outcome.Status == stage.Failed {
			if string(r.Outcome.State) != "4" {
				t.Errorf("the last state is %s", r.Outcome.State)
			}
			break
		}
	}
	if len(lines) != 3 || lines[0].Text != "2" || lines[2].Text != "4" || points != 3 {
		t.Errorf("what happened while cut off arrived as %+v with %d samples", lines, points)
	}
}

// A report whose answer was lost may have been taken in. It must be told again as
// it was, or the server could not know it, and nothing newer may hide behind its number.
func TestAReportWithoutAnAnswerIsToldAgainAsItWas(t *testing.T) {
	s := newServer(aTask("t1"))
	n := 0
	go1 := make(chan bool)
	start(t, s, executor(func(stage.Task) (stage.Outcome, error) {
		<-go1
		n++
		out := stage.Outcome{Status: stage.Continue, Lines: []stage.Line{{Text: fmt.Sprint(n)}}}
		if n == 3 {
			out.Status = stage.Passed
		}
		return out, nil
	}), 1)
	tick := func(deaf bool) {
		s.mu.Lock()
		s.deaf = deaf
		s.mu.Unlock()
		go1 <- true
	}
	tick(true)
	hear(t, s)
	tick(true)
	lost := hear(t, s)
	tick(false)
	again, rest := hear(t, s), hear(t, s)
	for rest.Number == 1 {
		again, rest = rest, hear(t, s)
	}
	if lost.Number != 1 || again.Number != 1 || len(again.Outcome.Lines) != 1 || again.Outcome.Lines[0].Text != "1" {
		t.Errorf("the report %+v was told again as %+v", lost, again)
	}
	lines := rest.Outcome.Lines
	for number := int64(3); rest.Outcome.Status != stage.Passed; number++ {
		if rest = hear(t, s); rest.Number != number {
			t.Fatalf("report %d is %+v", number, rest)
		}
		lines = append(lines, rest.Outcome.Lines...)
	}
	if len(lines) != 2 || lines[0].Text != "2" || lines[1].Text != "3" {
		t.Errorf("what came after it was told as %+v", lines)
	}
}

func TestManySamplesAreToldInPieces(t *testing.T) {
	s := newServer(aTask("t1"))
	points := make([]stage.Point, 450)
	for i := range points {
		points[i].Sample.At = time.Unix(int64(i), 0)
	}
	start(t, s, executor(func(stage.Task) (stage.Outcome, error) {
		return stage.Outcome{Status: stage.Passed, Points: points}, nil
	}), 1)
	var told []stage.Point
	for {
		r := hear(t, s)
		told = append(told, r.Outcome.Points...)
		if r.Outcome.Status == stage.Passed {
			break
		}
	}
	if len(told) != 450 || !told[449].Sample.At.Equal(points[449].Sample.At) {
		t.Errorf("%d of 450 samples were told", len(told))
	}
}

func TestACancelledTaskIsLeftAlone(t *testing.T) {
	s := newServer(aTask("t1"))
	s.reply = stage.Reply{Cancelled: true}
	n := 0
	start(t, s, executor(func(stage.Task) (stage.Outcome, error) {
		if n++; n > 1 {
			t.Error("a cancelled task was ticked again")
		}
		return stage.Outcome{Status: stage.Continue}, nil
	}), 1)
	hear(t, s)
}

func TestAFencedTaskIsGivenBackWithTheFenceThatWasSeen(t *testing.T) {
	second := aTask("t2")
	s := newServer(aTask("t1"), second)
	start(t, s, executor(func(task stage.Task) (stage.Outcome, error) {
		if task.ID == "t1" {
			return stage.Outcome{}, platform.Fenced(task.Target(), 3, 4)
		}
		return stage.Outcome{Status: stage.Passed}, nil
	}), 1)
	if r := hear(t, s); r.Task != "t1" || r.Seen != 4 || r.Fence != 3 || r.Outcome.Lines != nil {
		t.Errorf("the fenced task was reported as %+v", r)
	}
	if r := hear(t, s); r.Task != "t2" || r.Seen != 0 {
		t.Errorf("after the fenced task came %+v", r)
	}
}

func TestWhatTheServerSaysReachesTheNextTick(t *testing.T) {
	s := newServer(aTask("t1"))
	s.reply = stage.Reply{Hold: "paused by ben", Decision: "promote"}
	second := make(chan stage.Task, 1)
	n := 0
	start(t, s, executor(func(task stage.Task) (stage.Outcome, error) {
		if n++; n == 2 {
			second <- task
		}
		return stage.Outcome{Status: stage.Continue, After: 10 * time.Millisecond}, nil
	}), 1)
	if task := <-second; task.Hold != "paused by ben" || task.Decision != "promote" {
		t.Errorf("the second tick got hold %q and decision %q", task.Hold, task.Decision)
	}
}

func TestOnlySoManyTasksRunAtOnce(t *testing.T) {
	s := newServer(aTask("t1"), aTask("t2"), aTask("t3"))
	var mu sync.Mutex
	running, most := 0, 0
	start(t, s, executor(func(stage.Task) (stage.Outcome, error) {
		mu.Lock()
		running++
		most = max(most, running)
		mu.Unlock()
		time.Sleep(20 * time.Millisecond) // long enough for another to begin
		mu.Lock()
		running--
		mu.Unlock()
		return stage.Outcome{Status: stage.Passed}, nil
	}), 2)
	for range 3 {
		hear(t, s)
	}
	if most != 2 {
		t.Errorf("%d tasks ran at once, 2 were allowed", most)
	}
}

func TestAStageOfAnUnknownKindIsLeftToAnotherWorker(t *testing.T) {
	k := aTask("t1")
	k.Stage.Kind = "dance"
	s := newServer(k)
	start(t, s, executor(func(stage.Task) (stage.Outcome, error) { return stage.Outcome{}, errors.New("never") }), 1)
	if r := hear(t, s); !r.Left || !strings.Contains(r.Why, `"dance"`) {
		t.Errorf("the report is %+v", r)
	}
}
