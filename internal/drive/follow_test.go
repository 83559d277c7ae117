package drive_test

import (
	"context"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/stage"
)

const twoStages = `service: shop
host: {run: ./shop, listen: "127.0.0.1:8080"}
environments:
  - name: production
    stages: [canary, promote]
`

// end reports the outcome that ends the task and asks for what follows it.
func (r *rig) end(t stage.Task, status stage.Status) drive.Reply {
	r.t.Helper()
	reply, err := r.Report(context.Background(), drive.Report{
		Task: t.ID, Release: t.Release, Environment: t.Environment, Entry: t.Entry, Worker: t.Held, Fence: t.Fence,
		Number: 1, Next: true, Outcome: stage.Outcome{Status: status, Reason: "it is so", State: []byte(`{"left":1}`)},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return reply
}

func TestTheNextTaskComesWithTheAnswer(t *testing.T) {
	r := newRig(t)
	id := r.ship(twoStages)
	first := r.one("w1")
	reply := r.end(first, stage.Passed)
	next := reply.Next
	if next == nil || next.Stage.Kind != pipeline.KindPromote || next.Held != "w1" || next.Fence <= first.Fence || len(next.Memories) == 0 {
		t.Fatalf("the end of the first stage was answered with %+v", reply)
	}
	if tasks := r.lease("w2"); len(tasks) != 0 {
		t.Errorf("another worker got %+v", tasks)
	}
	if reply := r.end(*next, stage.Passed); reply.Next != nil || !reply.Taken {
		t.Errorf("the end of the last stage was answered with %+v", reply)
	}
	r.want(id, "succeeded")
}

func TestTheUndoingComesWithTheAnswer(t *testing.T) {
	r := newRig(t)
	r.ship(twoStages)
	if reply := r.end(r.one("w1"), stage.Failed); reply.Next == nil || !reply.Next.Undo {
		t.Errorf("a failure was answered with %+v", reply)
	}
}

// The worker that did not hear which task it was given asks again with the same report.
func TestALostAnswerGivesTheNextTaskAgain(t *testing.T) {
	r := newRig(t)
	r.ship(twoStages)
	first := r.one("w1")
	given := r.end(first, stage.Passed).Next
	again := r.end(first, stage.Passed).Next
	if again == nil || again.ID != given.ID || again.Fence != given.Fence {
		t.Fatalf("the task %+v was given again as %+v", given, again)
	}
	// Not once it is under way, nor when it is another worker's.
	r.say(*given, stage.Outcome{Status: stage.Continue})
	if _, err := r.Report(context.Background(), drive.Report{
		Task: given.ID, Release: given.Release, Environment: given.Environment, Worker: "w1", Fence: given.Fence,
		Number: 1, Outcome: stage.Outcome{Status: stage.Continue},
	}); err != nil {
		t.Fatal(err)
	}
	if reply := r.end(first, stage.Passed); reply.Next != nil || !reply.Cancelled {
		t.Errorf("a task under way was given as %+v", reply.Next)
	}
	r.pass(time.Minute)
	r.one("w2")
	if reply := r.end(first, stage.Passed); reply.Next != nil || !reply.Cancelled {
		t.Errorf("another worker's task was given as %+v", reply.Next)
	}
}

func TestAServerThatStopsGivesNoNextTask(t *testing.T) {
	r := newRig(t)
	r.ship(twoStages)
	first := r.one("w1")
	ctx, stop := context.WithCancel(context.Background())
	stop()
	if err := r.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if reply := r.end(first, stage.Passed); reply.Next != nil || !reply.Taken {
		t.Errorf("a server that stops answered with %+v", reply)
	}
}
