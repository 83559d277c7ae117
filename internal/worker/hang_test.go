package worker_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/judge"
	"github.com/fairwayhq/fairway/internal/stage"
)

// hanging takes reports and never answers them.
type hanging struct{ *server }

func (h hanging) Report(ctx context.Context, _ stage.Report) (stage.Reply, error) {
	<-ctx.Done()
	return stage.Reply{}, fault.Errorf(fault.Unavailable, "no answer: %w", ctx.Err())
}

// A server that hangs, or a network that swallows what is sent, must not keep a
// canary from being looked at.
func TestAServerThatHangsDoesNotStopTheLooking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ticks := make(chan stage.Task, 100)
		start(t, hanging{newServer(aTask("t1"))}, executor(func(task stage.Task) (stage.Outcome, error) {
			ticks <- task
			return stage.Outcome{Status: stage.Continue, After: time.Second}, nil
		}), 1)
		<-ticks
		began := time.Now()
		for range 10 {
			if held := <-ticks; held.Hold == "" {
				t.Error("a tick without an answer is not held")
			}
		}
		if took := time.Since(began); took > 40*time.Second {
			t.Errorf("ten looks took %s", took)
		}
	})
}

// refusing takes no report that carries samples, as a server does that has a limit.
type refusing struct{ *server }

func (r refusing) Report(ctx context.Context, report stage.Report) (stage.Reply, error) {
	if len(report.Outcome.Points) > 0 {
		return stage.Reply{}, fault.Errorf(fault.Invalid, "the request is larger than 1 MiB")
	}
	return r.server.Report(ctx, report)
}

func TestARefusedReportDoesNotBlockItsTask(t *testing.T) {
	s := newServer(aTask("t1"))
	start(t, refusing{s}, executor(func(stage.Task) (stage.Outcome, error) {
		return stage.Outcome{Status: stage.Passed, State: json.RawMessage(`7`), Points: make([]stage.Point, 3)}, nil
	}), 1)
	r := hear(t, s)
	if r.Outcome.Status != stage.Passed || string(r.Outcome.State) != "7" || len(r.Outcome.Lines) != 1 {
		t.Fatalf("the report is %+v", r)
	}
	if text := r.Outcome.Lines[0].Text; !strings.Contains(text, "3 samples") || !strings.Contains(text, "larger than 1 MiB") {
		t.Errorf("the loss is told as %q", text)
	}
}

// A server takes in at most 1 MiB.
func TestReportsAreSmall(t *testing.T) {
	s := newServer(aTask("t1"))
	wide := judge.Histogram{Bounds: make([]float64, 400), Counts: make([]int64, 401)}
	for i := range wide.Bounds {
		wide.Bounds[i] = 0.001 * float64(i+1) / 3
	}
	points := make([]stage.Point, 300)
	for i := range points {
		points[i].Sample.At = time.Unix(int64(i), 0)
		points[i].Sample.Stable.Latency, points[i].Sample.Canary.Latency = wide, wide
	}
	lines := make([]stage.Line, 1000)
	start(t, s, executor(func(stage.Task) (stage.Outcome, error) {
		return stage.Outcome{Status: stage.Passed, Points: points, Lines: lines}, nil
	}), 1)
	told, said := 0, 0
	for {
		r := hear(t, s)
		text, err := json.Marshal(r)
		if err != nil || len(text) > 512<<10 {
			t.Fatalf("a report has %d bytes (%v)", len(text), err)
		}
		told, said = told+len(r.Outcome.Points), said+len(r.Outcome.Lines)
		if r.Outcome.Status == stage.Passed {
			break
		}
	}
	if told != len(points) || said != len(lines) {
		t.Errorf("%d samples and %d lines were told", told, said)
	}
}
