package stage_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/stage"
)

func newer() json.RawMessage {
	return json.RawMessage(fmt.Sprintf(`{"version":%d,"known":true}`, stage.StateVersion+1))
}

func TestWhatANewerFairwayRemembersIsRefusedAndNothingIsDone(t *testing.T) {
	own, earlier := task(canaryStage()), task(canaryStage())
	own.State = newer()
	earlier.Memories["deploy"] = newer()
	undo := task(canaryStage())
	undo.Undo, undo.Memories = true, map[string]json.RawMessage{"canary": newer()}
	for name, task := range map[string]stage.Task{"its own state": own, "an earlier stage's": earlier, "of an undo": undo} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 1).withHome()
			out, err := w.executors()[pipeline.KindCanary].Tick(context.Background(), task)
			if !errors.Is(err, stage.ErrNewer) || !strings.Contains(fault.HintOf(err), "start a worker of the newer Fairway") {
				t.Errorf("the tick = %+v, %v", out, err)
			}
			if len(w.routed) != 0 || len(w.placed) != 1 {
				t.Errorf("it changed the target: %v, %v", w.weights, w.placed)
			}
		})
	}
}

func TestWhatIsRememberedSaysItsVersion(t *testing.T) {
	w := newWorld(t, 2).withHome()
	out, err := w.executors()[pipeline.KindCanary].Tick(context.Background(), task(canaryStage()))
	if err != nil || !bytes.HasPrefix(out.State, fmt.Appendf(nil, `{"version":%d,`, stage.StateVersion)) {
		t.Errorf("the first tick remembers %s, %v", out.State, err)
	}
	done, last := w.play(task(canaryStage()), never)
	if last.Status != stage.Passed || !bytes.HasPrefix(done.State, []byte(`{"version":`)) {
		t.Errorf("the stage ended %s and left %s", last.Status, done.State)
	}
}

// Memories had no version at first. They are those of version 1.
func TestAMemoryWithoutAVersionIsReadOn(t *testing.T) {
	w := newWorld(t, 3).withHome()
	e := w.executors()[pipeline.KindCanary]
	k := task(canaryStage())
	for range 400 {
		out, err := e.Tick(context.Background(), k)
		if err != nil {
			t.Fatal(err)
		}
		if out.Status != stage.Continue {
			if out.Status != stage.Passed {
				t.Errorf("it ended %s: %s", out.Status, out.Reason)
			}
			return
		}
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(out.State, &fields); err != nil {
			t.Fatal(err)
		}
		delete(fields, "version")
		if k.State, err = json.Marshal(fields); err != nil {
			t.Fatal(err)
		}
		w.now = w.now.Add(max(out.After, 1))
	}
	t.Fatal("the stage did not end")
}
