package drive_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/ledger"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/release"
	"github.com/fairwayhq/fairway/internal/stage"
	"github.com/fairwayhq/fairway/internal/store"
)

// rig is a Drive on a real store, with a clock that the test moves.
type rig struct {
	*drive.Drive
	t     *testing.T
	store aStore
	n     int
	// of tells the releases of one rig from those of another on the same store.
	of string
	// retreat makes the next releases bring older ones back.
	retreat bool

	mu        sync.Mutex
	now       time.Time
	delivered []drive.Message
	refuse    error
}

// aStore is SQLite, or PostgreSQL.
type aStore interface {
	Drive() drive.Store
	Release() release.Store
}

func newRig(t *testing.T) *rig {
	t.Helper()
	st, err := store.Open(context.Background(), store.Config{Path: filepath.Join(t.TempDir(), "fairway.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	return rigOn(t, st)
}

func rigOn(t *testing.T, st aStore) *rig {
	r := &rig{t: t, store: st, now: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)}
	r.Drive = drive.New(drive.Config{Store: st.Drive(), Now: r.clock, Deliver: r.deliver, LeaseFor: 30 * time.Second})
	return r
}

func (r *rig) clock() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now
}

func (r *rig) pass(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = r.now.Add(d)
}

func (r *rig) deliver(_ context.Context, m drive.Message) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refuse != nil {
		return r.refuse
	}
	r.delivered = append(r.delivered, m)
	return nil
}

const oneStage = `service: shop
host: {run: ./shop, listen: "127.0.0.1:8080"}
environments:
  - name: production
    stages: [{deploy: {}, timeLimit: 10m}]
`

// ship stores a release of the definition, with those of the other services, and starts it.
func (r *rig) ship(definition string, others ...string) string {
	r.t.Helper()
	r.n++
	ask := pipeline.Request{Version: fmt.Sprint("v", r.n), Artifact: "./shop", Digest: fmt.Sprintf("sha256:%064d", r.n)}
	for i, other := range others {
		ask.With = append(ask.With, pipeline.ComponentRequest{
			Definition: r.parse(other), Version: fmt.Sprint("v", r.n), Artifact: "./other", Digest: fmt.Sprintf("sha256:%032d%032d", r.n, i+1),
		})
	}
	plan, err := pipeline.Compile(r.parse(definition), ask)
	if err != nil {
		r.t.Fatal(err)
	}
	plan.Retreat = r.retreat
	rel := release.Release{
		ID: fmt.Sprintf("rel%d%s", r.n, r.of), Service: plan.Service, Version: plan.Component.Version, Digest: plan.Component.Digest,
		Author: "anna", PlanHash: plan.Hash(), CreatedAt: r.clock(), Definition: definition,
	}
	var committed func()
	err = r.store.Release().Update(context.Background(), func(tx release.Tx) (err error) {
		if err := tx.AddRelease(rel, plan, pipeline.NewRun(plan, "anna", r.clock())); err != nil {
			return err
		}
		committed, err = r.Start(tx, rel.ID, "anna")
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	committed()
	return rel.ID
}

func (r *rig) parse(definition string) *pipeline.Definition {
	r.t.Helper()
	def, faults := pipeline.Parse("fairway.yaml", []byte(definition))
	if len(faults) > 0 {
		r.t.Fatal(faults)
	}
	return def
}

func (r *rig) lease(worker string) []stage.Task {
	r.t.Helper()
	tasks, err := r.Lease(context.Background(), drive.LeaseAsk{Entries: true, Worker: worker, Max: 10})
	if err != nil {
		r.t.Fatal(err)
	}
	return tasks
}

func (r *rig) one(worker string) stage.Task {
	r.t.Helper()
	tasks := r.lease(worker)
	if len(tasks) != 1 {
		r.t.Fatalf("%s leased %d tasks, want 1", worker, len(tasks))
	}
	return tasks[0]
}

func (r *rig) say(t stage.Task, out stage.Outcome) drive.Reply {
	r.t.Helper()
	reply, err := r.Report(context.Background(), drive.Report{
		Task: t.ID, Release: t.Release, Environment: t.Environment, Entry: t.Entry, Worker: t.Held, Fence: t.Fence, Outcome: out,
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return reply
}

func (r *rig) apply(release string, ev pipeline.Event) {
	r.t.Helper()
	if err := r.Apply(context.Background(), release, ev); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) run(release string) pipeline.Run {
	r.t.Helper()
	var rec drive.Record
	err := r.store.Drive().View(context.Background(), func(tx drive.Tx) (err error) {
		rec, err = tx.LoadRun(release)
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return rec.Run
}

func (r *rig) want(release string, state pipeline.RunState) {
	r.t.Helper()
	if got := r.run(release).State; got != state {
		r.t.Fatalf("release %s is %s, want %s", release, got, state)
	}
}

// lines returns the release's chain, verified.
func (r *rig) lines(id string) []ledger.Event {
	r.t.Helper()
	var lines []ledger.Event
	err := r.store.Release().View(context.Background(), func(tx release.Tx) (err error) {
		lines, err = tx.LoadEvents(id, 0, 10000)
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	if err := ledger.Verify(lines); err != nil {
		r.t.Fatal(err)
	}
	return lines
}

func (r *rig) told(id, kind string) bool {
	for _, l := range r.lines(id) {
		if l.Kind == kind {
			return true
		}
	}
	return false
}

func TestAReleaseGoesFromLeaseToHome(t *testing.T) {
	r := newRig(t)
	id := r.ship(oneStage)
	task := r.one("w1")
	if task.Revision.ID == "" || task.Stage.Deploy == nil || task.Platform != "host" || task.Fence == 0 {
		t.Fatalf("the task is not complete: %+v", task)
	}
	if reply := r.say(task, stage.Outcome{Status: stage.Continue, State: json.RawMessage(`{"a":1}`)}); reply.Cancelled {
		t.Fatal("a task that goes on was cancelled")
	}
	r.say(task, stage.Outcome{Status: stage.Passed, Exposed: true})
	r.want(id, pipeline.RunSucceeded)
	var home string
	_ = r.store.Drive().View(context.Background(), func(tx drive.Tx) (err error) { home, err = tx.Home("shop/production"); return err })
	if home != id {
		t.Errorf("home is %q, want %q", home, id)
	}
	if !r.told(id, "release.succeeded") {
		t.Error("the ledger does not say that the release succeeded")
	}
}

func TestEveryLineIsLoggedOnce(t *testing.T) {
	r := newRig(t)
	var log bytes.Buffer
	r.Drive = drive.New(drive.Config{Store: r.store.Drive(), Now: r.clock, Log: slog.New(slog.NewTextHandler(&log, nil))})
	ids := []string{r.ship(oneStage), r.ship(oneStage), r.ship(oneStage)} // the third takes the second's place
	r.say(r.one("w1"), stage.Outcome{Status: stage.Passed, Exposed: true})
	for _, id := range ids {
		for _, l := range r.lines(id) {
			entry := fmt.Sprintf("msg=%q release=%s environment=%s stage=%s event=%s\n", l.Text, id, orEmpty(l.Environment), orEmpty(l.Stage), l.Kind)
			if n := strings.Count(log.String(), entry); n != 1 {
				t.Errorf("logged %d times: %s", n, entry)
			}
		}
	}
	if t.Failed() {
		t.Log(log.String())
	}
}

// orEmpty writes a text as the log does.
func orEmpty(s string) string {
	if s == "" {
		return `""`
	}
	return s
}

func TestAnExpiredLeaseGoesToAnotherWorkerWithAHigherFence(t *testing.T) {
	r := newRig(t)
	id := r.ship(oneStage)
	first := r.one("w1")
	r.say(first, stage.Outcome{Status: stage.Continue, State: json.RawMessage(`{"seen":true}`)})
	if tasks := r.lease("w2"); len(tasks) != 0 {
		t.Fatal("a held task was leased twice")
	}
	r.pass(31 * time.Second)
	second := r.one("w2")
	if second.Fence <= first.Fence || string(second.State) != `{"seen":true}` {
		t.Fatalf("the second lease has fence %d after %d and state %s", second.Fence, first.Fence, second.State)
	}
	if reply := r.say(first, stage.Outcome{Status: stage.Failed, Reason: "stale"}); !reply.Cancelled {
		t.Error("a report with an old fence was not answered with cancelled")
	}
	r.want(id, pipeline.RunRunning)
}

func TestAWorkerThatStartsAgainGetsItsTasksBackAtOnce(t *testing.T) {
	r := newRig(t)
	r.ship(oneStage)
	r.one("w1")
	tasks, err := r.Lease(context.Background(), drive.LeaseAsk{Worker: "w1", Max: 10, Resume: true})
	if err != nil || len(tasks) != 1 {
		t.Fatalf("resumed with %d tasks, %v", len(tasks), err)
	}
}

func TestAReportThatComesAfterTheDeadlineDoesNotReplaceTheUndo(t *testing.T) {
	r := newRig(t)
	id := r.ship(oneStage)
	task := r.one("w1")
	r.pass(11 * time.Minute)
	if reply := r.say(task, stage.Outcome{Status: stage.Continue, Exposed: true}); !reply.Cancelled {
		t.Error("the task goes on after its time limit")
	}
	if undo := r.one("w1"); !undo.Undo {
		t.Error("the undo was replaced")
	}
	r.want(id, pipeline.RunRollingBack)
}

func TestADecisionEndsWithItsQuestion(t *testing.T) {
	r := newRig(t)
	id := r.ship("service: shop\nhost: {run: ./shop, listen: \"127.0.0.1:8080\"}\nenvironments: [{name: production}]\n")
	task := r.one("w1")
	r.say(task, stage.Outcome{Status: stage.Continue, Asks: "go on?"})
	r.apply(id, pipeline.Event{Kind: pipeline.EventApproved, Actor: "ben", Roles: []string{"sre"}})
	if reply := r.say(task, stage.Outcome{Status: stage.Continue, Asks: "go on?"}); reply.Decision != "promote" {
		t.Fatalf("the decision arrived as %q", reply.Decision)
	}
	if reply := r.say(task, stage.Outcome{Status: stage.Continue}); reply.Decision != "" {
		t.Errorf("the decision outlived its question: %q", reply.Decision)
	}
}

func TestAnUndoKnowsWhatTheCancelledStageRemembered(t *testing.T) {
	r := newRig(t)
	id := r.ship(oneStage)
	task := r.one("w1")
	r.say(task, stage.Outcome{Status: stage.Continue, State: json.RawMessage(`{"previous":"v1"}`), Exposed: true})
	r.apply(id, pipeline.Event{Kind: pipeline.EventRollback, Actor: "ben"})
	if reply := r.say(task, stage.Outcome{Status: stage.Continue}); !reply.Cancelled {
		t.Error("the cancelled task goes on")
	}
	undo := r.one("w1")
	if !undo.Undo || string(undo.State) != `{"previous":"v1"}` || undo.Fence <= task.Fence {
		t.Fatalf("the undo got state %s and fence %d", undo.State, undo.Fence)
	}
	r.say(undo, stage.Outcome{Status: stage.Passed, Exposed: true})
	r.want(id, pipeline.RunRolledBack)
}

func TestAFailureAtTheTimeLimitSaysWhatTheWorkerWasAt(t *testing.T) {
	r := newRig(t)
	id := r.ship(oneStage)
	task := r.one("w1")
	for _, now := range []string{"placing v1", "trying again: connection refused"} {
		r.say(task, stage.Outcome{Status: stage.Continue, Progress: &stage.Progress{Now: now}})
	}
	r.pass(11 * time.Minute)
	r.apply(id, pipeline.Event{Kind: pipeline.EventWoken})
	want := "it did not finish within its time limit of 10m; last: trying again: connection refused"
	if got := r.run(id).Environments[0].Stages[0].Reason; got != want {
		t.Errorf("the reason is %q, want %q", got, want)
	}
}

func TestAStagePastItsDeadlineIsWokenAndTakenBack(t *testing.T) {
	r := newRig(t)
	id := r.ship(oneStage)
	r.pass(11 * time.Minute)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- r.Run(ctx) }()
	changed, unsubscribe := r.Changed()
	defer unsubscribe()
	for r.run(id).State == pipeline.RunRunning {
		select {
		case <-changed:
		case <-time.After(10 * time.Second):
			t.Fatal("nobody woke the run")
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	r.want(id, pipeline.RunRollingBack)
}

const withNotify = `service: shop
host: {run: ./shop, listen: "127.0.0.1:8080"}
environments:
  - name: production
    stages: [{notify: {webhook: "http://127.0.0.1:9/hook", message: hello}}, deploy]
`

func TestAWebhookThatIsDownIsTriedAgainAndHoldsNothingUp(t *testing.T) {
	r := newRig(t)
	r.refuse = fault.Errorf(fault.Unavailable, "down")
	id := r.ship(withNotify)
	if task := r.one("w1"); task.Stage.Kind != pipeline.KindDeploy {
		t.Fatalf("the release waits at %s", task.Stage.Name)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- r.Run(ctx) }()
	defer func() { stop(); <-done }()
	waitFor(t, func() bool { return r.attempts() > 0 })
	r.mu.Lock()
	r.refuse = nil
	r.now = r.now.Add(time.Minute)
	r.mu.Unlock()
	r.Wake()
	waitFor(t, func() bool { r.mu.Lock(); defer r.mu.Unlock(); return len(r.delivered) == 1 })
	var body struct{ Release, Text string }
	if err := json.Unmarshal(r.delivered[0].Body, &body); err != nil || body.Release != id || body.Text != "hello" {
		t.Errorf("delivered %s", r.delivered[0].Body)
	}
}

func TestAWebhookThatRefusesIsGivenUpAndToldInTheLedger(t *testing.T) {
	r := newRig(t)
	r.refuse = fault.Errorf(fault.Invalid, "gone")
	id := r.ship(withNotify)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- r.Run(ctx) }()
	defer func() { stop(); <-done }()
	waitFor(t, func() bool { return r.told(id, "notification.lost") })
}

func (r *rig) attempts() int {
	n := 0
	_ = r.store.Drive().View(context.Background(), func(tx drive.Tx) error {
		due, err := tx.DueMessages(r.clock().Add(time.Hour), 10)
		for _, m := range due {
			n += m.Attempts
		}
		return err
	})
	return n
}

func waitFor(t *testing.T, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatal("it did not happen within 10 s")
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestAnEventThatMakesNoSenseChangesNothing(t *testing.T) {
	r := newRig(t)
	id := r.ship(oneStage)
	before := len(r.lines(id))
	err := r.Apply(context.Background(), id, pipeline.Event{Kind: pipeline.EventResumed})
	if fault.CodeOf(err) != fault.Conflict {
		t.Errorf("Apply = %v, want conflict", err)
	}
	if err := r.Apply(context.Background(), "nobody", pipeline.Event{Kind: pipeline.EventWoken}); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("Apply to an unknown release = %v", err)
	}
	if after := len(r.lines(id)); after != before {
		t.Errorf("the chain grew from %d to %d lines", before, after)
	}
}

func TestLeaseWaitsForTheFirstTask(t *testing.T) {
	r := newRig(t)
	got := make(chan []stage.Task, 1)
	go func() {
		tasks, err := r.Lease(context.Background(), drive.LeaseAsk{Worker: "w1", Max: 1, Wait: 10 * time.Second})
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		got <- tasks
	}()
	r.ship(oneStage)
	r.Wake()
	select {
	case tasks := <-got:
		if len(tasks) != 1 {
			t.Errorf("leased %d tasks", len(tasks))
		}
	case <-time.After(5 * time.Second):
		t.Error("the waiting worker was not told of the task")
	}
}

func TestTheEndOfTheServerSendsWaitingWorkersHome(t *testing.T) {
	r := newRig(t)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	home := make(chan error, 1)
	go func() {
		tasks, err := r.Lease(context.Background(), drive.LeaseAsk{Worker: "w1", Wait: 30 * time.Second})
		if err == nil && len(tasks) > 0 {
			err = errors.New("it got a task that nobody made")
		}
		if fault.CodeOf(err) == fault.Unavailable {
			err = nil // it asked when the server had ended already
		}
		home <- err
	}()
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-home:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("the worker still waits for a task")
	}
}
