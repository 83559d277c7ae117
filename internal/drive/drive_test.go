package drive_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/stage"
)

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
