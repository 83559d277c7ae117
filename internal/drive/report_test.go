package drive_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/judge"
	"github.com/fairwayhq/fairway/internal/release"
	"github.com/fairwayhq/fairway/internal/stage"
)

// send reports as a worker does, with a number.
func (r *rig) send(t stage.Task, number int64, out stage.Outcome) drive.Reply {
	r.t.Helper()
	reply, err := r.Report(context.Background(), drive.Report{
		Task: t.ID, Release: t.Release, Environment: t.Environment, Worker: t.Held, Fence: t.Fence, Number: number, Outcome: out,
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return reply
}

func (r *rig) count(id, kind string) (lines int) {
	for _, l := range r.lines(id) {
		if l.Kind == kind {
			lines++
		}
	}
	return lines
}

func (r *rig) samples(id string) int {
	r.t.Helper()
	n := 0
	err := r.store.Release().View(context.Background(), func(tx release.Tx) error {
		points, err := tx.LoadPoints(id, "production", 0, 1000)
		n = len(points)
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return n
}

func TestAReportThatIsToldTwiceCountsOnce(t *testing.T) {
	r := newRig(t)
	id := r.ship(oneStage)
	task := r.one("w1")
	judged := stage.Outcome{
		Status: stage.Continue, State: []byte(`{"level":1}`),
		Lines:  []stage.Line{{Kind: "canary.level", Text: "5 %"}},
		Points: []stage.Point{{Sample: judge.Sample{At: r.clock(), Weight: 0.05}}},
	}
	before := r.send(task, 1, judged)
	r.pass(5 * time.Second)
	again := r.send(task, 1, judged)
	if again.Cancelled || !again.LeaseUntil.After(before.LeaseUntil) {
		t.Errorf("the second telling was answered with %+v", again)
	}
	if lines, samples := r.count(id, "canary.level"), r.samples(id); lines != 1 || samples != 1 {
		t.Fatalf("told twice, the ledger has %d lines and %d samples are kept", lines, samples)
	}
	r.send(task, 2, judged)
	if lines, samples := r.count(id, "canary.level"), r.samples(id); lines != 2 || samples != 2 {
		t.Errorf("after the next report the ledger has %d lines and %d samples are kept", lines, samples)
	}

	// The next lease counts from 1 again.
	r.pass(time.Minute)
	next := r.one("w2")
	r.send(next, 1, judged)
	if lines := r.count(id, "canary.level"); lines != 3 {
		t.Errorf("the first report of the next lease is not among %d lines", lines)
	}
}

// A database from a backup gives fences that the target has long seen.
func TestATargetThatHasSeenMoreRaisesTheFence(t *testing.T) {
	r := newRig(t)
	id := r.ship(oneStage)
	task := r.one("w1")
	refused := drive.Report{
		Task: task.ID, Release: id, Environment: task.Environment, Worker: "w1", Fence: task.Fence, Seen: task.Fence + 40,
	}
	reply, err := r.Report(context.Background(), refused)
	if err != nil || !reply.Cancelled {
		t.Fatalf("the report of the refusal was answered with %+v, %v", reply, err)
	}
	if !r.told(id, "task.fenced") {
		t.Error("the ledger does not tell of the refusal")
	}
	r.pass(6 * time.Second) // its lease was given back
	next := r.one("w1")
	if next.ID != task.ID || next.Fence <= refused.Seen {
		t.Errorf("the task was leased again with fence %d, the target has seen %d", next.Fence, refused.Seen)
	}

	// A refusal told by who no longer holds the task changes nothing.
	refused.Seen += 1000
	if reply, err = r.Report(context.Background(), refused); err != nil || !reply.Cancelled {
		t.Errorf("a late refusal was answered with %+v, %v", reply, err)
	}
	r.pass(time.Minute)
	if last := r.one("w2"); last.Fence > next.Fence+1 {
		t.Errorf("a late refusal raised the fence to %d", last.Fence)
	}
	if n := r.count(id, "task.fenced"); n != 1 {
		t.Errorf("the ledger tells %d times of one refusal", n)
	}
}

func TestAFenceBeyondAllCountingIsRefused(t *testing.T) {
	r := newRig(t)
	id := r.ship(oneStage)
	task := r.one("w1")
	_, err := r.Report(context.Background(), drive.Report{
		Task: task.ID, Release: id, Environment: task.Environment, Worker: "w1", Fence: task.Fence, Seen: 1 << 60,
	})
	if fault.CodeOf(err) != fault.Invalid {
		t.Errorf("a worker could exhaust the fences: %v", err)
	}
}

func TestAReportOfAnotherWorkerIsNotTaken(t *testing.T) {
	r := newRig(t)
	id := r.ship(oneStage)
	task := r.one("w2")
	reply, err := r.Report(context.Background(), drive.Report{
		Task: task.ID, Release: id, Environment: task.Environment, Worker: "w1", Fence: task.Fence, Number: 1,
		Outcome: stage.Outcome{Status: stage.Passed, Exposed: true},
	})
	if err != nil || !reply.Cancelled {
		t.Errorf("the report of a worker that does not hold the lease was answered with %+v, %v", reply, err)
	}
	if reply := r.send(task, 1, stage.Outcome{Status: stage.Continue}); reply.Cancelled {
		t.Error("the holder's own first report was taken for told already")
	}
}

// What a worker did while it was cut off is told with its own time.
func TestALineThatComesLateTellsWhenItHappened(t *testing.T) {
	r := newRig(t)
	id := r.ship(oneStage)
	task := r.one("w1")
	happened := r.clock()
	r.pass(90 * time.Second)
	r.pass(-80 * time.Second) // still within the lease
	r.send(task, 1, stage.Outcome{Status: stage.Continue, Lines: []stage.Line{
		{Kind: "canary.back", Text: "All traffic is back.", At: happened},
		{Kind: "canary.note", Text: "Just now.", At: r.clock()},
	}})
	for _, l := range r.lines(id) {
		switch l.Kind {
		case "canary.back":
			if !strings.Contains(l.Text, happened.Format("15:04:05")) {
				t.Errorf("the late line is %q", l.Text)
			}
		case "canary.note":
			if l.Text != "Just now." {
				t.Errorf("the line of now is %q", l.Text)
			}
		}
	}
}
