package telemetry_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/stage"
	"github.com/fairwayhq/fairway/internal/telemetry"
)

// shown is what Prometheus gets of the collectors.
func shown(t *testing.T, all ...prometheus.Collector) string {
	t.Helper()
	rec := httptest.NewRecorder()
	telemetry.Handler(all...).ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if rec.Code != http.StatusOK {
		t.Fatalf("the metrics answer %d: %s", rec.Code, rec.Body)
	}
	return rec.Body.String()
}

func has(t *testing.T, text string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("the metrics lack %q", line)
		}
	}
}

// broken fails as it is told.
type broken struct{ err error }

func (b broken) Update(context.Context, func(drive.Tx) error) error { return b.err }
func (b broken) View(context.Context, func(drive.Tx) error) error   { return b.err }

func TestOnlyWhatTheStoreIsToBlameForIsItsError(t *testing.T) {
	s := telemetry.NewStore()
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	full := fault.Errorf(fault.Unavailable, "the disk is full")
	for _, c := range []struct {
		ctx context.Context
		err error
	}{
		{t.Context(), nil},
		{t.Context(), fault.Errorf(fault.NotFound, "no such release")},
		{t.Context(), full},
		{gone, full}, // nobody waits for it any more
	} {
		if err := s.Drive(broken{c.err}).Update(c.ctx, nil); !errors.Is(err, c.err) {
			t.Errorf("the store said %v, which became %v", c.err, err)
		}
	}
	if err := s.Drive(broken{errors.New("a bug")}).View(t.Context(), nil); err == nil {
		t.Error("an error was swallowed")
	}
	has(t, shown(t, s),
		`fairway_store_errors_total{code="unavailable",kind="update"} 1`,
		`fairway_store_errors_total{code="internal",kind="view"} 1`,
		`fairway_store_errors_total{code="unavailable",kind="view"} 0`,
		`fairway_store_transaction_duration_seconds_count{kind="update"} 4`,
		`fairway_store_transaction_duration_seconds_count{kind="view"} 1`)
}

func TestTransitionsAreCountedByWhatHappened(t *testing.T) {
	m := telemetry.NewTransitions()
	m.Moved(pipeline.EventCreated)
	m.Moved(pipeline.EventWoken)
	m.Moved(pipeline.EventWoken)
	has(t, shown(t, m), `fairway_transitions_total{event="created"} 1`, `fairway_transitions_total{event="woken"} 2`)
}

// server gives one task, and fails or answers as it is told.
type server struct {
	err   error
	reply stage.Reply
}

func (s *server) Lease(context.Context, stage.LeaseAsk) ([]stage.Task, error) {
	return []stage.Task{{ID: "t1"}, {ID: "t2"}}, s.err
}

func (s *server) Report(context.Context, stage.Report) (stage.Reply, error) { return s.reply, s.err }

func (s *server) Signs(context.Context, stage.Signs) ([]stage.Reply, error) {
	return []stage.Reply{s.reply}, s.err
}

func (s *server) Hello(context.Context, stage.Hello) (stage.Welcome, error) {
	return stage.Welcome{}, s.err
}

func TestAWorkerThatNeverGetsThroughIsCutOff(t *testing.T) {
	w := telemetry.NewWorker()
	real := &server{err: fault.Errorf(fault.Unavailable, "connection refused")}
	g, s := w.Greeter(real), w.Server(real)
	isCutOff := func(want bool) {
		t.Helper()
		for range 1000 {
			if !strings.Contains(shown(t, w), "fairway_worker_cut_off_seconds 0\n") == want {
				return
			}
			time.Sleep(time.Millisecond) // the clock may not have moved
		}
		t.Errorf("it is not told that the worker is cut off: %v", want)
	}
	greet := func() { _, _ = g.Hello(t.Context(), stage.Hello{}) }
	greet()
	isCutOff(true)
	has(t, shown(t, w), `fairway_worker_calls_failed_total{call="hello"} 1`, `fairway_worker_calls_failed_total{call="lease"} 0`)
	real.err = nil
	greet()
	isCutOff(false)

	// It is greeted, and gets no tasks all the same.
	real.err = fault.Errorf(fault.Unavailable, "the database is away")
	_, _ = s.Lease(t.Context(), stage.LeaseAsk{})
	real.err = nil
	greet()
	isCutOff(true)
	_, _ = s.Lease(t.Context(), stage.LeaseAsk{})
	isCutOff(false)

	real.err = fault.Errorf(fault.NotFound, "from before there were greetings")
	greet()
	isCutOff(false)
}

func TestAWorkerTellsWhatItHasFree(t *testing.T) {
	all := telemetry.Places(func() (stages, jobs int) { return 984, 0 })
	has(t, shown(t, all...), `fairway_worker_places_free{kind="stage"} 984`, `fairway_worker_places_free{kind="job"} 0`)
}

func TestAWorkerTellsWhatItHoldsAndWhetherItIsCutOff(t *testing.T) {
	w := telemetry.NewWorker()
	real := &server{}
	s := w.Server(real)
	if _, err := s.Lease(t.Context(), stage.LeaseAsk{}); err != nil {
		t.Fatal(err)
	}
	report := func(r stage.Report) { _, _ = s.Report(t.Context(), r) }
	if _, err := s.Signs(t.Context(), stage.Signs{Tasks: []stage.Sign{{Task: "t1"}}}); err != nil {
		t.Fatal(err)
	}
	has(t, shown(t, w), "fairway_worker_tasks 2", "fairway_worker_leases_total 2", "fairway_worker_cut_off_seconds 0",
		`fairway_worker_report_duration_seconds_count{kind="alive"} 1`)

	report(stage.Report{Task: "t2", Left: true})
	has(t, shown(t, w), "fairway_worker_tasks 1")

	real.err = fault.Errorf(fault.Unavailable, "connection refused")
	report(stage.Report{Task: "t1"})
	for strings.Contains(shown(t, w), "fairway_worker_cut_off_seconds 0\n") {
		time.Sleep(time.Millisecond) // the clock may not have moved
	}
	has(t, shown(t, w), `fairway_worker_calls_failed_total{call="report"} 1`, "fairway_worker_tasks 1")

	real.err, real.reply = nil, stage.Reply{Cancelled: true}
	report(stage.Report{Task: "t1"})
	has(t, shown(t, w), "fairway_worker_cut_off_seconds 0", "fairway_worker_tasks 0")
}
