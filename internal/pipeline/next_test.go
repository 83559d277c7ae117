package pipeline_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/fairwayhq/fairway/internal/pipeline"
)

const everything = `service: shop
host: {run: ./shop}
environments:
  - name: staging
    host: {listen: "127.0.0.1:8081"}
    stages:
      - deploy
      - check: {http: [{path: /healthz}]}
  - name: production
    needs: {staging: 5m}
    host: {listen: "127.0.0.1:8080"}
    stages:
      - gate: {when: 'latest.tests.status == "passed"'}
      - approval: {roles: [sre], count: 1}
      - job: {run: ./migrate up, undo: ./migrate down}
      - canary
      - watch: {for: 10m}
      - promote
      - notify: {webhook: "http://127.0.0.1:9/hook"}
`

// world is what drive would know of the commands so far.
type world struct {
	plan  *pipeline.Plan
	lanes map[string]bool // asked for or held, by environment
	tasks map[string]bool // running, by entry
}

// laneOf names the lane of an entry: its environment.
func (w *world) laneOf(entry string) string {
	if e := w.plan.Environment(entry); e != nil {
		return e.In()
	}
	return entry
}

// busy tells whether a task runs in the lane.
func (w *world) busy(lane string) bool {
	for entry := range w.tasks {
		if w.laneOf(entry) == lane {
			return true
		}
	}
	return false
}

// follow carries the commands out and fails where they make no sense.
func (w *world) follow(commands []pipeline.Command) error {
	wakes := 0
	for _, c := range commands {
		switch c.Kind {
		case pipeline.CommandAcquireLane:
			if w.lanes[w.laneOf(c.Environment)] {
				return fmt.Errorf("the lane of %s was asked for twice", c.Environment)
			}
			w.lanes[w.laneOf(c.Environment)] = true
		case pipeline.CommandReleaseLane:
			if !w.lanes[w.laneOf(c.Environment)] {
				return fmt.Errorf("the lane of %s was released without being held", c.Environment)
			}
			if w.busy(w.laneOf(c.Environment)) {
				return fmt.Errorf("the lane of %s was released while a task runs", c.Environment)
			}
			delete(w.lanes, w.laneOf(c.Environment))
		case pipeline.CommandNoteHome:
			if !w.lanes[w.laneOf(c.Environment)] || w.tasks[c.Environment] {
				return fmt.Errorf("%s came to an end without its lane, or with a task", c.Environment)
			}
		case pipeline.CommandStartTask:
			if w.tasks[c.Environment] {
				return fmt.Errorf("a second task was started in %s", c.Environment)
			}
			if !w.lanes[w.laneOf(c.Environment)] {
				return fmt.Errorf("a task was started in %s without its lane", c.Environment)
			}
			w.tasks[c.Environment] = true
		case pipeline.CommandCancelTask:
			delete(w.tasks, c.Environment)
		case pipeline.CommandHoldTask, pipeline.CommandDecide:
			if !w.tasks[c.Environment] {
				return fmt.Errorf("%s: there is no task in %s", c.Kind, c.Environment)
			}
		case pipeline.CommandWake:
			wakes++
		}
	}
	if wakes != 1 {
		return fmt.Errorf("%d wake-ups instead of one", wakes)
	}
	return nil
}

var allEvents = []pipeline.EventKind{
	pipeline.EventCreated, pipeline.EventWoken, pipeline.EventLaneGranted, pipeline.EventLaneFrozen, pipeline.EventLaneThawed,
	pipeline.EventEvidence, pipeline.EventApproved, pipeline.EventRejected, pipeline.EventPaused, pipeline.EventResumed,
	pipeline.EventRollback, pipeline.EventSkipped, pipeline.EventSuperseded, pipeline.EventStagePassed, pipeline.EventStageFailed,
	pipeline.EventStageReported, pipeline.EventUndoPassed, pipeline.EventUndoFailed, pipeline.EventRollbackVoid,
	pipeline.EventOutage,
}

// FuzzNext throws random events at a run: it never reaches an illegal state, and a
// finished run never moves (but for the late rollback of one that succeeded).
func FuzzNext(f *testing.F) { f.Fuzz(rapid.MakeFuzz(randomLife)) }

func TestRandomLivesStayLegal(t *testing.T) { rapid.Check(t, randomLife) }

func randomLife(t *rapid.T) {
	text, ask := everything, pipeline.Request{Version: "v2", Artifact: "./shop", Digest: digest}
	if rapid.Bool().Draw(t, "in waves") {
		text = drawWaves(t)
		for _, other := range drawOthers(t) {
			def, _ := pipeline.Parse("other.yaml", other)
			ask.With = append(ask.With, pipeline.ComponentRequest{Definition: def, Artifact: "./it", Digest: digestOf(def.Service)})
		}
	}
	def, faults := pipeline.Parse("fairway.yaml", []byte(text))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	plan, err := pipeline.Compile(def, ask)
	if err != nil {
		t.Fatal(err)
	}
	plan.Retreat = rapid.IntRange(0, 9).Draw(t, "retreat") == 0
	run := pipeline.NewRun(plan, "anna", birth)
	w := world{plan: plan, lanes: map[string]bool{}, tasks: map[string]bool{}}
	now := birth
	for range rapid.IntRange(1, 80).Draw(t, "events") {
		now = now.Add(time.Duration(rapid.IntRange(0, 600).Draw(t, "seconds")) * time.Second)
		ev := drawEvent(t, &run)
		next, commands, err := pipeline.Next(run, ev, now)
		if err != nil {
			continue
		}
		ended := ev.Kind == pipeline.EventStagePassed || ev.Kind == pipeline.EventStageFailed || ev.Kind == pipeline.EventUndoPassed || ev.Kind == pipeline.EventUndoFailed
		if ended { // drive has deleted the task by then
			delete(w.tasks, ev.Environment)
		}
		if ev.Kind == pipeline.EventEvidence {
			for _, c := range plan.Components() {
				next.Evidence = append(next.Evidence, pipeline.Evidence{Kind: "tests", Status: "passed", At: now, Digest: c.Digest})
			}
		}
		if err := w.follow(commands); err != nil {
			t.Fatalf("after %s in %s/%s: %v", ev.Kind, ev.Environment, ev.Stage, err)
		}
		legal(t, run, next, ev)
		if !plan.Retreat { // which leaves other regions as they are
			legalWaves(t, run, next, ev, now)
		}
		legalSteps(t, run, next)
		run = reread(t, next)
	}
}

// drawEvent prefers events that fit, or little would ever happen.
func drawEvent(t *rapid.T, run *pipeline.Run) pipeline.Event {
	e := rapid.IntRange(0, len(run.Environments)-1).Draw(t, "environment")
	if rapid.Bool().Draw(t, "current") {
		e = run.Current()
	}
	env := run.Plan.Environments[e]
	stage := run.Environments[e].Stage
	if rapid.IntRange(0, 9).Draw(t, "other stage") == 0 {
		stage = rapid.IntRange(0, len(env.Stages)-1).Draw(t, "stage")
	}
	ev := pipeline.Event{
		Kind:        rapid.SampledFrom(allEvents).Draw(t, "kind"),
		Actor:       rapid.SampledFrom([]string{"anna", "ben", "carl"}).Draw(t, "actor"),
		Roles:       rapid.SampledFrom([][]string{{"sre"}, {"developer"}, {"admin"}, nil}).Draw(t, "roles"),
		Environment: env.Name, Stage: env.Stages[stage].Name,
		Reason:  rapid.SampledFrom([]string{"", "because"}).Draw(t, "reason"),
		Exposed: rapid.Bool().Draw(t, "exposed"),
		Asks:    rapid.SampledFrom([]string{"", "go on?"}).Draw(t, "asks"),
		Outage: pipeline.Outage{
			Began: birth.Add(time.Duration(rapid.IntRange(0, 6000).Draw(t, "began")) * time.Second),
			Ended: birth.Add(time.Duration(rapid.IntRange(0, 6000).Draw(t, "ended")) * time.Second),
		},
		Until: birth.Add(time.Duration(rapid.IntRange(0, 6000).Draw(t, "until")) * time.Second),
	}
	if rapid.IntRange(0, 9).Draw(t, "fits") > 2 {
		fit(t, run.Environments[e], env, &ev)
	}
	if env.Leg != nil {
		drawForAll(t, run, &ev)
	}
	return ev
}

// fit makes the event one that the entry waits for.
func fit(t *rapid.T, e pipeline.EnvironmentRun, env pipeline.Environment, ev *pipeline.Event) {
	s := e.Stages[e.Stage]
	ev.Stage = env.Stages[e.Stage].Name
	switch {
	case e.StartedAt.IsZero() && e.State == pipeline.EnvironmentPending:
		ev.Kind = rapid.SampledFrom([]pipeline.EventKind{pipeline.EventCreated, pipeline.EventWoken}).Draw(t, "begin")
	case e.Lane == pipeline.LaneQueued:
		ev.Kind = pipeline.EventLaneGranted
	case s.State == pipeline.StageUndoing:
		ev.Kind = pipeline.EventUndoPassed
	case s.State == pipeline.StageRunning && env.Stages[e.Stage].Kind == pipeline.KindApproval:
		ev.Kind, ev.Actor, ev.Roles = pipeline.EventApproved, "ben", []string{"sre"}
	case s.State == pipeline.StageRunning && env.Stages[e.Stage].Kind == pipeline.KindGate:
		ev.Kind = pipeline.EventEvidence
	case s.State == pipeline.StageRunning:
		passed := pipeline.EventStagePassed
		ev.Kind = rapid.SampledFrom([]pipeline.EventKind{passed, passed, passed, passed, passed, passed, pipeline.EventStageFailed}).Draw(t, "outcome")
	}
}

func legal(t *rapid.T, was, is pipeline.Run, ev pipeline.Event) {
	if was.State.Final() && is.State != was.State && ev.Kind != pipeline.EventRollback {
		t.Fatalf("a finished run moved from %s to %s by %s", was.State, is.State, ev.Kind)
	}
	if is.State.Final() == is.EndedAt.IsZero() {
		t.Fatalf("the run is %s and ended at %v", is.State, is.EndedAt)
	}
	moving, waiting := 0, 0
	for i, e := range is.Environments {
		if e.Stage < 0 || e.Stage >= len(e.Stages) {
			t.Fatalf("%s is at stage %d of %d", e.Name, e.Stage, len(e.Stages))
		}
		active := e.State == pipeline.EnvironmentRunning || e.State == pipeline.EnvironmentRollingBack
		if active {
			moving++
		}
		if e.State == pipeline.EnvironmentPending || e.Asks != "" {
			waiting++
		}
		if !active && e.Lane != pipeline.LaneNone && is.Plan.Environments[i].Leg == nil {
			t.Fatalf("%s is %s and still %s its lane", e.Name, e.State, e.Lane)
		}
		if e.State == pipeline.EnvironmentSucceeded && i > 0 && was.Environments[i].State == pipeline.EnvironmentRunning &&
			is.Environments[i-1].State == pipeline.EnvironmentPending {
			t.Fatalf("%s succeeded before %s was begun", e.Name, is.Environments[i-1].Name)
		}
	}
	if moving > 0 && is.State.Final() || moving+waiting == 0 && !is.State.Final() {
		t.Fatalf("%d environments move and %d wait in a run that is %s", moving, waiting, is.State)
	}
}

// reread makes sure that a run survives being stored.
func reread(t *rapid.T, run pipeline.Run) pipeline.Run {
	b, err := json.Marshal(run)
	if err != nil {
		t.Fatal(err)
	}
	var back pipeline.Run
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	back.Plan, back.Evidence = run.Plan, run.Evidence
	return back
}

func TestNextDoesNotChangeTheRunItWasGiven(t *testing.T) {
	run := pipeline.NewRun(planOf(t, []byte(everything)), "anna", birth)
	before, _ := json.Marshal(run)
	if _, _, err := pipeline.Next(run, pipeline.Event{Kind: pipeline.EventCreated}, birth); err != nil {
		t.Fatal(err)
	}
	if after, _ := json.Marshal(run); string(after) != string(before) {
		t.Error("Next changed its argument")
	}
}
