package stage_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/command"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/platform"
	"github.com/fairwayhq/fairway/internal/stage"
)

// The test binary is also the supervisor of the commands.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "command-exec" {
		if err := command.Exec(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// machine is where real commands run, in the place of a world's simulated time.
type machine struct {
	*command.Commands
	*world
	t *testing.T
	// ahead is how much later it is than it really is.
	ahead time.Duration
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	c, err := command.Open(command.Config{Folder: filepath.Join(t.TempDir(), "commands"), ExecCommand: []string{os.Args[0], "command-exec"}})
	if err != nil {
		t.Fatal(err)
	}
	return &machine{Commands: c, world: newWorld(t, 1), t: t}
}

func (m *machine) executor(kind pipeline.Kind) stage.Executor {
	return stage.Executors(stage.Deps{
		Platform: func(string, json.RawMessage) (platform.Platform, error) { return m.world, nil },
		Commands: m.Commands, Now: func() time.Time { return time.Now().Add(m.ahead) },
	})[kind]
}

// tick ticks once and commits what came of it, as a worker and its server would.
func (m *machine) tick(k *stage.Task) stage.Outcome {
	m.t.Helper()
	out, err := m.executor(k.Stage.Kind).Tick(m.t.Context(), *k)
	if err != nil {
		m.t.Fatal(err)
	}
	k.State = out.State
	return out
}

// carryOut ticks the task until an outcome is as wanted, and waits in between.
func (m *machine) carryOut(k *stage.Task, until func(stage.Outcome) bool) stage.Outcome {
	m.t.Helper()
	limit := time.After(20 * time.Second)
	for {
		out := m.tick(k)
		if until(out) {
			return out
		}
		select {
		case <-limit:
			m.t.Fatalf("it did not come so far; it is %+v with %+v", out, out.Progress)
		case <-time.After(out.After):
		}
	}
}

func ended(out stage.Outcome) bool { return out.Status != stage.Continue }

func says(words string) func(stage.Outcome) bool {
	return func(out stage.Outcome) bool {
		return ended(out) || out.Progress != nil && strings.Contains(out.Progress.Now, words)
	}
}

// undoOf is the undoing of a task that was cut off, which goes on with its state.
func undoOf(k stage.Task) stage.Task {
	k.Undo, k.ID = true, k.ID+"-undo"
	return k
}

func jobTask(command, undo string) stage.Task {
	j := &pipeline.Job{Command: []string{"sh", "-c", command}, Env: map[string]string{"EXTRA": "yes"}}
	if undo != "" {
		j.Undo = []string{"sh", "-c", undo}
	}
	return task(pipeline.Stage{Name: "job", Kind: pipeline.KindJob, Job: j})
}

func TestAJobKnowsItsReleaseAndItsUndoRuns(t *testing.T) {
	t.Setenv("FAIRWAY_TOKEN", "of the worker")
	t.Setenv("OF_THE_WORKER", "topsecret")
	file := filepath.Join(t.TempDir(), "ran")
	k := jobTask(`echo "$FAIRWAY_RELEASE $FAIRWAY_ENVIRONMENT $FAIRWAY_VERSION $EXTRA $COLOUR $DATABASE_URL $ADMIN $FAIRWAY_TOKEN" > `+file, "rm "+file)
	k.Revision.Config = platform.Config{
		Env: map[string]string{"COLOUR": "blue", "EXTRA": "no"}, Secrets: map[string]string{"DATABASE_URL": "env:OF_THE_WORKER"},
	}
	k.Stage.Job.Secrets = map[string]string{"ADMIN": "env:OF_THE_WORKER"}
	m := newMachine(t)
	if out := m.carryOut(&k, ended); out.Status != stage.Passed {
		t.Fatalf("the job ended %s: %s", out.Status, out.Reason)
	}
	if b, _ := os.ReadFile(file); string(b) != "rel1 production v2 yes blue topsecret topsecret \n" {
		t.Errorf("it knew %q", b)
	}
	undo := undoOf(k)
	undo.State, undo.Memories = nil, map[string]json.RawMessage{"job": k.State}
	if out := m.carryOut(&undo, ended); out.Status != stage.Passed {
		t.Fatalf("the undo ended %s: %s", out.Status, out.Reason)
	}
	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Error("the undo did nothing")
	}
}

func TestACommandRunsBesideAnArtifactOfThisMachineOrOnItsOwn(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, script := range map[string]string{"shop": "", "migrate": "#!/bin/sh\npwd\nexit 1\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	m := newMachine(t)
	for i, c := range []struct{ artifact, command, want string }{
		{filepath.Join(dir, "shop"), "./migrate", "it printed: " + dir},
		{"file://" + dir + "/shop", "./migrate", "it printed: " + dir},
		{dir, "./migrate", "it printed: " + dir},
		{"https://127.0.0.1" + dir + "/shop", "./migrate", "./migrate: no such file or directory (its working folder is /"},
		{"registry.example/shop:v2", "./job.go", "./job.go: no such file or directory (its working folder is /"},
	} {
		k := task(pipeline.Stage{Name: fmt.Sprint("job", i), Kind: pipeline.KindJob, Job: &pipeline.Job{Command: []string{c.command}}})
		k.Revision.Artifact.Ref = c.artifact
		if out := m.carryOut(&k, ended); !strings.Contains(out.Reason, c.want) {
			t.Errorf("with artifact %s it ended %s: %s", c.artifact, out.Status, out.Reason)
		}
	}
}

func TestAFailedJobSaysWhatItPrintedAndNoSecret(t *testing.T) {
	t.Setenv("OF_THE_WORKER", "hunter2")
	m := newMachine(t)
	k := jobTask("echo the table is locked for $PASSWORD; exit 3", "")
	k.Revision.Config.Secrets = map[string]string{"PASSWORD": "env:OF_THE_WORKER"}
	out := m.carryOut(&k, ended)
	if out.Status != stage.Failed || !strings.Contains(out.Reason, "exit status 3") || !strings.Contains(out.Reason, "the table is locked for [secret PASSWORD]") {
		t.Errorf("it ended %s: %s", out.Status, out.Reason)
	}
	k = task(pipeline.Stage{Name: "other", Kind: pipeline.KindJob, Job: &pipeline.Job{Command: []string{"/no/such/command"}}})
	if out = m.carryOut(&k, ended); out.Status != stage.Failed || !strings.Contains(out.Reason, "could not be started: /no/such/command") {
		t.Errorf("a command that is not there ended %s: %s", out.Status, out.Reason)
	}
	k = jobTask("true", "")
	k.Stage.Name, k.Stage.Job.Secrets = "third", map[string]string{"KEY": "file:/no/such/file"}
	if out = m.carryOut(&k, ended); out.Status != stage.Failed || !strings.Contains(out.Reason, "secret KEY") {
		t.Errorf("without its secret it ended %s: %s", out.Status, out.Reason)
	}
}

func TestALongJobTellsHowItGoesOn(t *testing.T) {
	m := newMachine(t)
	k := jobTask("echo row 1 of 2; sleep 1.2; printf '10 %%\\r60 %%'; sleep 100", "")
	m.carryOut(&k, says("runs; last line: row 1 of 2"))
	out := m.carryOut(&k, says("has run for 1s; last line: 60 %"))
	if out.Status != stage.Continue || out.After > 500*time.Millisecond {
		t.Errorf("it is %+v", out)
	}
	m.must(m.Stop(t.Context(), "rel1.production.job"))
}

// A worker may die after any tick, and its report be lost; the job runs once, and its
// result is told.
func TestLostReportsRunNoJobTwice(t *testing.T) {
	for lost := range 6 {
		file := filepath.Join(t.TempDir(), "ran")
		m := newMachine(t)
		k := jobTask("echo ran >> "+file+"; sleep 0.1; exit 4", "")
		for range lost {
			before := k.State
			out := m.tick(&k)
			time.Sleep(out.After)
			if len(before) > 0 { // the note is heard; the one after it and so on are lost
				k.State = before
			}
			k.Fence++
		}
		if out := m.carryOut(&k, ended); out.Status != stage.Failed || !strings.Contains(out.Reason, "exit status 4") {
			t.Errorf("after %d lost reports it ended %s: %s", lost, out.Status, out.Reason)
		}
		if b, _ := os.ReadFile(file); string(b) != "ran\n" {
			t.Errorf("after %d lost reports it ran %q", lost, b)
		}
	}
}

func TestAHeldJobDoesNotBeginAndOneThatRunsGoesOn(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ran")
	m := newMachine(t)
	k := jobTask("echo ran > "+file+"; sleep 0.2", "")
	k.Hold = "the worker cannot reach the server"
	for range 5 {
		if out := m.tick(&k); out.Status != stage.Continue {
			t.Fatalf("held it ended %s", out.Status)
		}
	}
	if _, err := os.Stat(file); err == nil {
		t.Fatal("a held job ran")
	}
	k.Hold = ""
	m.carryOut(&k, says("begins"))
	k.Hold = "paused by ben"
	if out := m.carryOut(&k, ended); out.Status != stage.Passed {
		t.Errorf("it ended %s: %s", out.Status, out.Reason)
	}
}

func TestAJobThatIsCutOffIsStoppedBeforeItIsUndone(t *testing.T) {
	for name, undo := range map[string]string{"with an undo command": "echo undone >> FILE", "without": ""} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "effects")
			m := newMachine(t)
			k := jobTask("trap 'sleep 0.3; echo stopped >> "+file+"; exit 1' TERM; echo begun >> "+file+"; echo ready; (sleep 2; echo late >> "+file+") & wait",
				strings.ReplaceAll(undo, "FILE", file))
			m.carryOut(&k, says("last line: ready"))
			u := undoOf(k)
			if out := m.carryOut(&u, ended); out.Status != stage.Passed {
				t.Fatalf("the undo ended %s: %s", out.Status, out.Reason)
			}
			want := "begun\nstopped\n"
			if undo != "" {
				want += "undone\n"
			}
			if b, _ := os.ReadFile(file); string(b) != want {
				t.Errorf("the effects are %q", b)
			}
			// The worker that was cut off may not have heard of it.
			if out := m.carryOut(&k, ended); out.Status != stage.Failed || !strings.Contains(out.Reason, "was stopped before it ended") {
				t.Errorf("the job ended %s: %s", out.Status, out.Reason)
			}
			time.Sleep(2 * time.Second) // the time in which a survivor would have written
			if b, _ := os.ReadFile(file); string(b) != want {
				t.Errorf("then the effects are %q", b)
			}
		})
	}
}

func TestAJobThatWasNotBegunIsNotBegunAfterItsUndo(t *testing.T) {
	file := filepath.Join(t.TempDir(), "effects")
	m := newMachine(t)
	k := jobTask("echo ran >> "+file, "echo undone >> "+file)
	m.tick(&k) // noted, and not begun
	u := undoOf(k)
	if out := m.carryOut(&u, ended); out.Status != stage.Passed {
		t.Fatalf("the undo ended %s: %s", out.Status, out.Reason)
	}
	m.carryOut(&k, ended)
	if b, _ := os.ReadFile(file); string(b) != "undone\n" {
		t.Errorf("the effects are %q", b)
	}
}

func TestAnUndoThatFailedIsTriedAgain(t *testing.T) {
	m := newMachine(t)
	file := filepath.Join(t.TempDir(), "mended")
	k := jobTask("true", "test -e "+file)
	m.carryOut(&k, ended)
	memories := map[string]json.RawMessage{"job": k.State}
	first, second := undoOf(k), undoOf(undoOf(k))
	first.State, first.Memories = nil, memories
	if out := m.carryOut(&first, ended); out.Status != stage.Failed || !strings.Contains(out.Reason, "the undo command") {
		t.Fatalf("the first undo ended %s: %s", out.Status, out.Reason)
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	second.State, second.Memories = nil, map[string]json.RawMessage{"job": first.State}
	if out := m.carryOut(&second, ended); out.Status != stage.Passed {
		t.Errorf("the second undo ended %s: %s", out.Status, out.Reason)
	}
}

func TestOnAnotherMachineAJobBeginsAnewAndItsUndoAsksOnce(t *testing.T) {
	file := filepath.Join(t.TempDir(), "effects")
	one, two := newMachine(t), newMachine(t)
	k := jobTask("echo ran >> "+file+"; sleep 100", "echo undone >> "+file)
	one.carryOut(&k, says("runs"))
	k.Held = "w2"
	if out := two.tick(&k); len(out.Lines) != 1 || out.Lines[0].Kind != "job.moved" || !strings.Contains(out.Lines[0].Text, "w1") {
		t.Errorf("the second machine tells %+v", out.Lines)
	}
	two.carryOut(&k, says("runs"))
	u := undoOf(k)
	out := two.carryOut(&u, ended)
	if out.Status != stage.Failed || !strings.Contains(out.Reason, "on the machine of worker w1") {
		t.Fatalf("the undo ended %s: %s", out.Status, out.Reason)
	}
	one.must(one.Stop(t.Context(), "rel1.production.job"))
	again := undoOf(u)
	again.State, again.Memories = nil, map[string]json.RawMessage{"job": u.State}
	if out := two.carryOut(&again, ended); out.Status != stage.Passed {
		t.Errorf("asked for again it ended %s: %s", out.Status, out.Reason)
	}
	if b, _ := os.ReadFile(file); string(b) != "ran\nran\nundone\n" {
		t.Errorf("the effects are %q", b)
	}
}

// checkAt makes a task whose revision is placed at the address.
func checkAt(w *world, c *pipeline.Check) stage.Task {
	k := task(pipeline.Stage{Name: "check", Kind: pipeline.KindCheck, Check: c})
	w.must(w.Place(context.Background(), k.Lease(), target, k.Revision, platform.Capacity{Instances: 2}))
	w.now = w.now.Add(time.Minute)
	return k
}

func TestACheckTellsWhatIsNotAsExpected(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/ok":
			rw.Write([]byte("all fine"))
		case "/slow":
			time.Sleep(300 * time.Millisecond)
		default:
			rw.WriteHeader(500)
		}
	}))
	defer srv.Close()
	get := func(path string) pipeline.HTTPCheck {
		return pipeline.HTTPCheck{Method: "GET", Path: path, Status: 200, Within: pipeline.Duration(100 * time.Millisecond)}
	}
	contains := get("/ok")
	contains.Contains = "fine"
	wrong := get("/ok")
	wrong.Contains = "broken"
	load := func(path string) *pipeline.Load {
		return &pipeline.Load{Path: path, Rate: 100, For: pipeline.Duration(200 * time.Millisecond), MaxErrors: 0.01, P99: pipeline.Duration(time.Second)}
	}
	for name, tc := range map[string]struct {
		check pipeline.Check
		want  string // part of the reason; empty: it passes
	}{
		"all as expected":  {pipeline.Check{HTTP: []pipeline.HTTPCheck{get("/ok"), contains}}, ""},
		"another status":   {pipeline.Check{HTTP: []pipeline.HTTPCheck{get("/ok"), get("/no")}}, "answered 500, expected 200"},
		"another body":     {pipeline.Check{HTTP: []pipeline.HTTPCheck{wrong}}, `without "broken"`},
		"too slow":         {pipeline.Check{HTTP: []pipeline.HTTPCheck{get("/slow")}}, "no answer within 100ms"},
		"a good command":   {pipeline.Check{Command: []string{"sh", "-c", `test -n "$FAIRWAY_ADDRESSES"`}}, ""},
		"a failed command": {pipeline.Check{Command: []string{"sh", "-c", "echo no; exit 1"}}, "it printed: no"},
		"a load it bears":  {pipeline.Check{Load: load("/ok")}, ""},
		"a load it fails":  {pipeline.Check{Load: load("/no")}, "100 % of"},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			m.address = strings.TrimPrefix(srv.URL, "http://")
			tc.check.Attempts = 2
			k := checkAt(m.world, &tc.check)
			out := m.carryOut(&k, ended)
			if (out.Status == stage.Passed) != (tc.want == "") || !strings.Contains(out.Reason, tc.want) {
				t.Errorf("it ended %s: %s", out.Status, out.Reason)
			}
		})
	}
}

func TestEachAttemptOfACheckRunsItsCommandOnce(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ran")
	m := newMachine(t)
	k := checkAt(m.world, &pipeline.Check{Attempts: 3, Command: []string{"sh", "-c", "echo ran >> " + file + "; sleep 0.1; test $(wc -l < " + file + ") = 2"}})
	for range 4 {
		m.tick(&k) // reports that are lost change nothing
		k.State = nil
	}
	if out := m.carryOut(&k, ended); out.Status != stage.Passed {
		t.Errorf("it ended %s: %s", out.Status, out.Reason)
	}
	if b, _ := os.ReadFile(file); string(b) != "ran\nran\n" {
		t.Errorf("it ran %q", b)
	}
}

func TestACheckThatIsCutOffLeavesNoCommandBehind(t *testing.T) {
	file := filepath.Join(t.TempDir(), "late")
	m := newMachine(t)
	k := checkAt(m.world, &pipeline.Check{Attempts: 2, Command: []string{"sh", "-c", "echo ready; sleep 1; touch " + file}})
	m.carryOut(&k, says("last line: ready"))
	u := undoOf(k)
	if out := m.carryOut(&u, ended); out.Status != stage.Passed {
		t.Errorf("the undo ended %s: %s", out.Status, out.Reason)
	}
	time.Sleep(1200 * time.Millisecond) // the time in which a survivor would have written
	if _, err := os.Stat(file); err == nil {
		t.Error("the command of the check went on")
	}
}

func TestACheckOfNothingFails(t *testing.T) {
	k := task(pipeline.Stage{Name: "check", Kind: pipeline.KindCheck, Check: &pipeline.Check{Attempts: 1, HTTP: []pipeline.HTTPCheck{{Method: "GET", Path: "/", Status: 200}}}})
	if _, out := newWorld(t, 1).play(k, never); out.Status != stage.Failed || !strings.Contains(out.Reason, "nothing to check") {
		t.Errorf("it ended %s: %s", out.Status, out.Reason)
	}
}
