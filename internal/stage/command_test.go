package stage_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/platform"
	"github.com/fairwayhq/fairway/internal/stage"
)

func jobTask(command, undo string) stage.Task {
	j := &pipeline.Job{Command: []string{"sh", "-c", command}, Env: map[string]string{"EXTRA": "yes"}}
	if undo != "" {
		j.Undo = []string{"sh", "-c", undo}
	}
	return task(pipeline.Stage{Name: "job", Kind: pipeline.KindJob, Job: j})
}

func TestAJobKnowsItsReleaseAndItsUndoRuns(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ran")
	k := jobTask(`echo "$FAIRWAY_RELEASE $FAIRWAY_ENVIRONMENT $FAIRWAY_VERSION $EXTRA" > `+file, "rm "+file)
	w := newWorld(t, 1)
	if _, out := w.play(k, never); out.Status != stage.Passed {
		t.Fatalf("the job ended %s: %s", out.Status, out.Reason)
	}
	if b, _ := os.ReadFile(file); string(b) != "rel1 production v2 yes\n" {
		t.Errorf("it knew %q", b)
	}
	k.Undo = true
	if _, out := w.play(k, never); out.Status != stage.Passed {
		t.Fatalf("the undo ended %s: %s", out.Status, out.Reason)
	}
	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Error("the undo did nothing")
	}
}

func TestAFailedJobSaysWhatItPrinted(t *testing.T) {
	_, out := newWorld(t, 1).play(jobTask("echo the table is locked; exit 3", ""), never)
	if out.Status != stage.Failed || !strings.Contains(out.Reason, "exit status 3") || !strings.Contains(out.Reason, "the table is locked") {
		t.Errorf("it ended %s: %s", out.Status, out.Reason)
	}
	_, out = newWorld(t, 1).play(task(pipeline.Stage{Name: "job", Kind: pipeline.KindJob, Job: &pipeline.Job{Command: []string{"/no/such/command"}}}), never)
	if out.Status != stage.Failed || !strings.Contains(out.Reason, "could not be started") {
		t.Errorf("a command that is not there ended %s: %s", out.Status, out.Reason)
	}
}

func TestACancelledJobEndsWithAllItStarted(t *testing.T) {
	file := filepath.Join(t.TempDir(), "late")
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	e := newWorld(t, 1).executors()[pipeline.KindJob]
	if _, err := e.Tick(ctx, jobTask("(sleep 1; touch "+file+") & wait", "")); err == nil {
		t.Fatal("a cancelled job has an outcome")
	}
	time.Sleep(1200 * time.Millisecond) // the time in which a survivor would have written
	if _, err := os.Stat(file); err == nil {
		t.Error("a child of the cancelled job went on")
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
			w := newWorld(t, 1)
			w.address = strings.TrimPrefix(srv.URL, "http://")
			tc.check.Attempts = 2
			_, out := w.play(checkAt(w, &tc.check), never)
			if (out.Status == stage.Passed) != (tc.want == "") || !strings.Contains(out.Reason, tc.want) {
				t.Errorf("it ended %s: %s", out.Status, out.Reason)
			}
		})
	}
}

func TestACheckOfNothingFails(t *testing.T) {
	k := task(pipeline.Stage{Name: "check", Kind: pipeline.KindCheck, Check: &pipeline.Check{Attempts: 1, HTTP: []pipeline.HTTPCheck{{Method: "GET", Path: "/", Status: 200}}}})
	if _, out := newWorld(t, 1).play(k, never); out.Status != stage.Failed || !strings.Contains(out.Reason, "nothing to check") {
		t.Errorf("it ended %s: %s", out.Status, out.Reason)
	}
}
