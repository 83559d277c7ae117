package api_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/auth"
	"github.com/fairwayhq/fairway/internal/manifest"
	"github.com/fairwayhq/fairway/internal/platform"
	"github.com/fairwayhq/fairway/internal/stage"
)

// The wait is longer than the time that the body of an ordinary request may take.
func TestALeaseWaitsForATask(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ann, worker := r.person("ann", auth.Developer), r.worker("w1")
	type leased struct {
		tasks []stage.Task
		err   error
	}
	got := make(chan leased, 1)
	go func() {
		tasks, err := worker.Lease(t.Context(), stage.LeaseAsk{Worker: "w", Max: 1, Wait: 30 * time.Second})
		got <- leased{tasks, err}
	}()
	select {
	case l := <-got:
		t.Fatalf("the wait was over with %v, %v", l.tasks, l.err)
	case <-time.After(5500 * time.Millisecond):
	}
	d := ship(t, ann, newRelease("v1", digest1))
	select {
	case l := <-got:
		if l.err != nil || len(l.tasks) != 1 || l.tasks[0].Release != d.ID {
			t.Errorf("leased %+v, %v", l.tasks, l.err)
		}
	case <-time.After(5 * time.Second):
		t.Error("the waiting worker did not get the task")
	}
}

// What was at home before is in every state that a worker reports, with its manifests.
func TestAReportHasRoomForTheLargestManifests(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ann, w := r.person("ann", auth.Developer), r.worker("w1")
	ship(t, ann, newRelease("v1", digest1))
	task := lease(t, w)
	state, err := json.Marshal(map[string]any{"previous": platform.Revision{ID: "r-1", Settings: make([]byte, manifest.MaxSize)}})
	if err != nil {
		t.Fatal(err)
	}
	const beside = 512 << 10 // twice what a worker sends of samples at a time
	report(t, w, task, stage.Outcome{Status: stage.Continue, State: state, Lines: []stage.Line{{Kind: "deploy.said", Text: strings.Repeat("a", beside)}}})
}
