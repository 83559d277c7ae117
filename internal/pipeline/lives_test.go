package pipeline_test

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

// Lives are whole runs told in text: a definition (and those of the services that are released
// with it), then what happens and when
// (lines with ">"), each followed by what the run does about it. A new case
// needs no Go:
//
//	> TIME EVENT [ENVIRONMENT[/STAGE]] [key=value …] [: reason]
//
// The reason of "woken" is what the environment's worker last said.
func TestLives(t *testing.T) {
	files, err := filepath.Glob("testdata/lives/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no lives found: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			last := len(a.Files) - 1
			var others [][]byte
			for _, other := range a.Files[1:last] {
				others = append(others, other.Data)
			}
			told := live(t, planOf(t, a.Files[0].Data, others...), a.Files[last].Data)
			if *update {
				a.Files[last].Data = told
				if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := gocmp.Diff(string(a.Files[last].Data), string(told)); diff != "" {
				t.Errorf("the life differs (-file +now); -update writes it:\n%s", diff)
			}
		})
	}
}

var birth = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// planOf is the plan of a release of the definition's service, with those of the others.
func planOf(t testing.TB, definition []byte, others ...[]byte) *pipeline.Plan {
	t.Helper()
	ask := pipeline.Request{Version: "v2", Artifact: "./shop", Digest: digest}
	for _, other := range others {
		def := parsed(t, other)
		ask.With = append(ask.With, pipeline.ComponentRequest{Definition: def, Version: "v3", Artifact: "./" + def.Service, Digest: digestOf(def.Service)})
	}
	plan, err := pipeline.Compile(parsed(t, definition), ask)
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

func parsed(t testing.TB, definition []byte) *pipeline.Definition {
	t.Helper()
	def, faults := pipeline.Parse("fairway.yaml", definition)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return def
}

// digestOf is that of the artifact of another service than the one that leads.
func digestOf(service string) string {
	return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(service)))
}

// live plays the script and returns it with the answers written anew.
func live(t *testing.T, plan *pipeline.Plan, script []byte) []byte {
	run := pipeline.NewRun(plan, "anna", birth)
	var out bytes.Buffer
	for _, line := range strings.Split(strings.TrimSpace(string(script)), "\n") {
		switch {
		case strings.HasPrefix(line, "#"):
			fmt.Fprintln(&out, line)
			continue
		case !strings.HasPrefix(line, ">"):
			continue
		}
		fmt.Fprintln(&out, line)
		now, ev := readEvent(t, strings.TrimSpace(line[1:]))
		if ev.Kind == pipeline.EventEvidence {
			run.Evidence = append(run.Evidence, pipeline.Evidence{Digest: cmp.Or(ev.Digest, digest), Kind: "tests", Status: ev.Reason, At: now})
		}
		if ev.Kind == pipeline.EventWoken && ev.Reason != "" {
			run.Doing = map[string]string{ev.Environment: ev.Reason}
		}
		next, commands, err := pipeline.Next(run, ev, now)
		if err != nil {
			fmt.Fprintf(&out, "  refused (%s): %s\n", fault.CodeOf(err), err)
			continue
		}
		evidence := run.Evidence
		run = next
		run.Evidence = evidence
		tellCommands(&out, commands)
		tellRun(&out, &run)
	}
	return out.Bytes()
}

var eventWords = map[string]pipeline.EventKind{
	"created": pipeline.EventCreated, "woken": pipeline.EventWoken, "granted": pipeline.EventLaneGranted,
	"frozen": pipeline.EventLaneFrozen, "thawed": pipeline.EventLaneThawed, "evidence": pipeline.EventEvidence,
	"approved": pipeline.EventApproved, "rejected": pipeline.EventRejected, "paused": pipeline.EventPaused,
	"resumed": pipeline.EventResumed, "rollback": pipeline.EventRollback, "skipped": pipeline.EventSkipped,
	"superseded": pipeline.EventSuperseded, "passed": pipeline.EventStagePassed, "failed": pipeline.EventStageFailed,
	"reported": pipeline.EventStageReported, "undone": pipeline.EventUndoPassed, "undo-failed": pipeline.EventUndoFailed, "void": pipeline.EventRollbackVoid,
	"outage": pipeline.EventOutage,
}

func readEvent(t *testing.T, text string) (time.Time, pipeline.Event) {
	text, reason, _ := strings.Cut(text, " : ")
	words := strings.Fields(text)
	after, err := time.ParseDuration(words[0])
	kind, known := eventWords[words[1]]
	if err != nil || !known {
		t.Fatalf("cannot read the event %q", text)
	}
	ev := pipeline.Event{Kind: kind, Reason: reason}
	for _, w := range words[2:] {
		key, value, isPair := strings.Cut(w, "=")
		switch {
		case !isPair:
			ev.Environment, ev.Stage = placeIn(w)
		case key == "by":
			ev.Actor = value
		case key == "roles":
			ev.Roles = strings.Split(value, ",")
		case key == "digest":
			if ev.Digest = value; !strings.HasPrefix(value, "sha256:") {
				ev.Digest = digestOf(value) // of a service
			}
		case key == "plan":
			ev.PlanHash = value
		case key == "exposed":
			ev.Exposed = value == "true"
		case key == "asks":
			ev.Asks = value
		case key == "began": // an outage, which ends now
			var began pipeline.Duration
			began, err = pipeline.ParseDuration(value)
			ev.Outage.Began = birth.Add(began.Std())
		case key == "until":
			var until pipeline.Duration
			until, err = pipeline.ParseDuration(value)
			ev.Until = birth.Add(until.Std())
		default:
			t.Fatalf("unknown key %q in %q", key, text)
		}
		if err != nil {
			t.Fatalf("%q in %q: %v", w, text, err)
		}
	}
	if ev.Kind == pipeline.EventOutage {
		ev.Outage.Ended = birth.Add(after)
	}
	return birth.Add(after), ev
}

// placeIn reads ENVIRONMENT, ENVIRONMENT/STAGE, ENVIRONMENT/REGION/STAGE, or
// ENVIRONMENT/REGION/ for no stage.
func placeIn(word string) (environment, stage string) {
	parts := strings.Split(word, "/")
	if len(parts) < 3 {
		environment, stage, _ = strings.Cut(word, "/")
		return environment, stage
	}
	return pipeline.LegName(parts[0], parts[1]), parts[2]
}

func tellCommands(out *bytes.Buffer, commands []pipeline.Command) {
	for _, c := range commands {
		switch c.Kind {
		case pipeline.CommandRecord:
			fmt.Fprintf(out, "  %s: %s\n", c.Line, c.Text)
		case pipeline.CommandWake:
			if !c.At.IsZero() {
				fmt.Fprintf(out, "  → wake at %s\n", c.At.Sub(birth))
			}
		default:
			what := strings.TrimSpace(string(c.Kind) + " " + strings.Trim(c.Environment+"/"+c.Stage, "/"))
			if c.Undo {
				what += " (undo)"
			}
			if c.Text != "" {
				what += " " + fmt.Sprintf("%q", c.Text)
			}
			fmt.Fprintf(out, "  → %s\n", what)
		}
	}
}

func tellRun(out *bytes.Buffer, r *pipeline.Run) {
	fmt.Fprintf(out, "  = %s", r.State)
	for i := range r.Environments {
		e := &r.Environments[i]
		fmt.Fprintf(out, "; %s %s", e.Name, e.State)
		if e.State == pipeline.EnvironmentRunning || e.State == pipeline.EnvironmentRollingBack {
			fmt.Fprintf(out, " (%s %s)", r.Plan.Environments[i].Stages[e.Stage].Name, e.Stages[e.Stage].State)
		}
	}
	fmt.Fprintln(out)
}
