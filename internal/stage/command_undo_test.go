package stage_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/command"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/stage"
)

// againOf is the next try of an undoing that has failed.
func againOf(u stage.Task) stage.Task {
	u = undoOf(u)
	u.State, u.Memories = nil, map[string]json.RawMessage{u.Stage.Name: u.State}
	return u
}

// hangingUndo has a job that has ended, whose undo command hangs as long as the file
// "hangs" is there. What happens is written into the file that is returned.
func hangingUndo(t *testing.T, m *machine) (u stage.Task, effects string, mend func()) {
	t.Helper()
	dir := t.TempDir()
	hangs, effects := filepath.Join(dir, "hangs"), filepath.Join(dir, "effects")
	if err := os.WriteFile(hangs, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	k := jobTask("true", "trap 'echo stopped >> "+effects+"; exit 1' TERM; echo begun >> "+effects+"; echo ready; "+
		"while test -e "+hangs+"; do sleep 0.02; done; echo undone >> "+effects)
	m.carryOut(&k, ended)
	return againOf(k), effects, func() { _ = os.Remove(hangs) }
}

func wrote(t *testing.T, file, want string) {
	t.Helper()
	if b, _ := os.ReadFile(file); strings.Join(strings.Fields(string(b)), " ") != want {
		t.Errorf("the effects are %q, want %q", b, want)
	}
}

func TestAnUndoCommandIsStoppedAtItsTimeLimit(t *testing.T) {
	m := newMachine(t)
	u, effects, mend := hangingUndo(t, m)
	u.Stage.TimeLimit = pipeline.Duration(time.Minute)
	u.Deadline = time.Now().Add(-time.Hour) // it waited for a worker; its time begins when it does
	m.carryOut(&u, says("last line: ready"))
	m.ahead = 4*time.Minute + 50*time.Second
	if out := m.tick(&u); ended(out) {
		t.Fatalf("within the least time limit it ended %s: %s", out.Status, out.Reason)
	}
	m.ahead = 5 * time.Minute
	u.Deadline = time.Now().Add(6 * time.Minute) // an outage took some
	if out := m.tick(&u); ended(out) {
		t.Fatalf("before its deadline it ended %s: %s", out.Status, out.Reason)
	}
	m.ahead = 7 * time.Minute
	out := m.tick(&u)
	if out.Status != stage.Failed || !strings.Contains(out.Reason, "within its time limit of 5m: the undo command") || !strings.Contains(out.Reason, "it printed: ready") {
		t.Errorf("over its time it ended %s: %s", out.Status, out.Reason)
	}
	wrote(t, effects, "begun stopped")
	mend()
	m.ahead = 0 // or what begins now would seem to have run for minutes
	again := againOf(u)
	if out := m.carryOut(&again, ended); out.Status != stage.Passed {
		t.Errorf("mended it ended %s: %s", out.Status, out.Reason)
	}
	wrote(t, effects, "begun stopped begun undone")
}

func TestAnUndoThatIsBegunAnewStopsTheOneBefore(t *testing.T) {
	m := newMachine(t)
	u, effects, mend := hangingUndo(t, m)
	m.carryOut(&u, says("last line: ready"))
	anew := undoOf(u) // which gets the state of the task that was cancelled
	m.carryOut(&anew, says("begins"))
	wrote(t, effects, "begun stopped")
	mend()
	if out := m.carryOut(&anew, ended); out.Status != stage.Passed {
		t.Errorf("begun anew it ended %s: %s", out.Status, out.Reason)
	}
	// The worker that was cut off may not have heard of it.
	if out := m.carryOut(&u, ended); out.Status != stage.Failed || !strings.Contains(out.Reason, "was stopped before it ended") {
		t.Errorf("the one before ended %s: %s", out.Status, out.Reason)
	}
	wrote(t, effects, "begun stopped begun undone")
}

// Nobody else would know of it, and begin it too.
func TestACutOffWorkerBeginsNoUndoCommand(t *testing.T) {
	m := newMachine(t)
	u, effects, mend := hangingUndo(t, m)
	m.tick(&u) // notes that it begins
	u.Hold = "the worker cannot reach the server"
	for range 3 {
		if out := m.tick(&u); out.Status != stage.Continue || out.After <= 0 || !strings.Contains(out.Progress.Now, u.Hold) {
			t.Fatalf("held it is %+v with %+v", out, out.Progress)
		}
	}
	if s, err := m.Commands.Observe("rel1.production.job.undo." + u.ID); err != nil || s.Phase != command.None {
		t.Fatalf("held the undo command is %q: %v", s.Phase, err)
	}
	u.Hold = ""
	m.carryOut(&u, says("last line: ready"))
	u.Hold = "the worker cannot reach the server" // what runs is looked at to its end
	mend()
	if out := m.carryOut(&u, ended); out.Status != stage.Passed {
		t.Errorf("it ended %s: %s", out.Status, out.Reason)
	}
	wrote(t, effects, "begun undone")
}

func TestOnAnotherMachineAnUndoBeginsAnewAndTellsIt(t *testing.T) {
	one, two := newMachine(t), newMachine(t)
	u, effects, mend := hangingUndo(t, one)
	one.carryOut(&u, says("last line: ready"))
	u.Held = "w2"
	out := two.tick(&u)
	if len(out.Lines) != 1 || out.Lines[0].Kind != "job.moved" ||
		!strings.Contains(out.Lines[0].Text, "The undo command of stage job begins anew on worker w2; where it may have begun before: worker w1") {
		t.Errorf("the second machine tells %+v", out.Lines)
	}
	two.carryOut(&u, says("last line: ready"))
	wrote(t, effects, "begun begun")
	// Stopped and begun anew by a person, it cannot be stopped on the first machine.
	anew := undoOf(u)
	if out := two.carryOut(&anew, ended); out.Status != stage.Failed || !strings.Contains(out.Reason, "its undo command was begun on the machine of worker w1") {
		t.Errorf("begun anew it ended %s: %s", out.Status, out.Reason)
	}
	one.must(one.Stop(t.Context(), "rel1.production.job.undo."+u.ID))
	wrote(t, effects, "begun begun stopped stopped")
	mend()
	anew = againOf(anew)
	if out := two.carryOut(&anew, ended); out.Status != stage.Passed {
		t.Errorf("asked for again it ended %s: %s", out.Status, out.Reason)
	}
}

func TestOnAnotherMachineACheckBeginsAnewAndItsUndoAsksOnce(t *testing.T) {
	one, two := newMachine(t), newMachine(t)
	c := &pipeline.Check{Attempts: 2, Command: []string{"sh", "-c", "echo ready; sleep 100"}}
	k := checkAt(one.world, c)
	checkAt(two.world, c)
	if out := one.tick(&k); len(out.Lines) > 0 {
		t.Errorf("the first machine tells %+v", out.Lines)
	}
	one.carryOut(&k, says("last line: ready"))
	k.Held = "w2"
	if out := two.tick(&k); len(out.Lines) != 1 || out.Lines[0].Kind != "check.moved" || !strings.Contains(out.Lines[0].Text, "worker w1") {
		t.Errorf("the second machine tells %+v", out.Lines)
	}
	two.carryOut(&k, says("last line: ready"))
	u := undoOf(k)
	if out := two.carryOut(&u, ended); out.Status != stage.Failed || !strings.Contains(out.Reason, "its command was begun on the machine of worker w1") {
		t.Fatalf("the undo ended %s: %s", out.Status, out.Reason)
	}
	one.must(one.Stop(t.Context(), "rel1.production.check.1"))
	again := againOf(u)
	if out := two.carryOut(&again, ended); out.Status != stage.Passed {
		t.Errorf("asked for again it ended %s: %s", out.Status, out.Reason)
	}
}
