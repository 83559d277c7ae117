package api_test

import (
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/auth"
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
