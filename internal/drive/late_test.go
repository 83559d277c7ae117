package drive_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/stage"
)

// late reports as a worker does that has heard that the task is not its own any more.
func (r *rig) late(t stage.Task, number int64, out stage.Outcome) drive.Reply {
	r.t.Helper()
	reply, err := r.Report(context.Background(), drive.Report{
		Task: t.ID, Release: t.Release, Environment: t.Environment, Stage: t.Stage.Name, Worker: t.Held, Fence: t.Fence,
		Number: number, Late: true, Outcome: out,
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return reply
}

// takenBack is what a worker says that has taken a canary back while it was cut off.
func takenBack(at time.Time) stage.Outcome {
	return stage.Outcome{
		Status: stage.Failed, Reason: "errors 30 % against 0 %", State: []byte(`{"n":9}`),
		Lines: []stage.Line{{Kind: "canary.back", Text: "All traffic is back.", At: at, Data: json.RawMessage(`{"weight":0}`)}},
	}
}

func TestWhatACutOffWorkerDidIsKeptWhenAnotherHasTheTask(t *testing.T) {
	r := newRig(t)
	id := r.ship(oneStage)
	first := r.one("w1")
	happened := r.clock().Add(10 * time.Second)
	r.pass(31 * time.Second)
	second := r.one("w2")
	r.send(second, 1, stage.Outcome{Status: stage.Continue, State: []byte(`{"n":1}`)})
	for range 2 { // its answer may be lost too
		if reply := r.late(first, 2, takenBack(happened)); !reply.Cancelled || reply.Taken {
			t.Errorf("a late report is answered with %+v", reply)
		}
	}
	var told []string
	for _, l := range r.lines(id) {
		if l.Kind == "worker.late" {
			told = append(told, l.Text)
			if l.Actor != "worker w1" || l.Stage != first.Stage.Name {
				t.Errorf("the late line is by %s, in stage %s", l.Actor, l.Stage)
			}
		}
	}
	want := "All traffic is back. (It happened at " + happened.UTC().Format("15:04:05") + " UTC.)"
	if len(told) != 2 || !strings.HasSuffix(told[0], want) || !strings.HasSuffix(told[1], "errors 30 % against 0 %") {
		t.Errorf("told late are %q", told)
	}
	// The task is the second worker's, as it was.
	if reply := r.send(second, 2, stage.Outcome{Status: stage.Continue}); reply.Cancelled {
		t.Error("the second worker has lost its task")
	}
	if n := r.count(id, "stage.failed"); n != 0 {
		t.Errorf("the stage failed %d times by a late report", n)
	}
}

// A report that was taken in, and whose answer was lost, is told again, late where the task
// has ended meanwhile.
func TestWhatWasTakenInIsNotToldLateAgain(t *testing.T) {
	r := newRig(t)
	id := r.ship(oneStage)
	task := r.one("w1")
	out := takenBack(r.clock())
	out.Lines = append(out.Lines, stage.Line{Kind: "canary.said", Text: "Without data.", At: r.clock()})
	if reply := r.send(task, 1, out); !reply.Cancelled || !reply.Taken {
		t.Errorf("an ending is answered with %+v", reply)
	}
	r.late(task, 1, out)
	for _, l := range r.lines(id) {
		if l.Kind == "worker.late" {
			t.Errorf("told twice: %s", l.Text)
		}
	}
}

// toldLate are the texts of what the release's workers told late.
func (r *rig) toldLate(id string) (told []string) {
	r.t.Helper()
	for _, l := range r.lines(id) {
		if l.Kind == "worker.late" {
			told = append(told, l.Text)
		}
	}
	return told
}

// Two steps may look alike, and be two all the same.
func TestWhatHappensTwiceIsToldLateTwice(t *testing.T) {
	r := newRig(t)
	id := r.ship(oneStage)
	task := r.one("w1")
	step := func() []stage.Line {
		return []stage.Line{{Kind: "canary.weight", Text: "It has 5 % again.", At: r.clock(), Data: json.RawMessage(`{"weight":0.05}`)}}
	}
	r.send(task, 1, stage.Outcome{Status: stage.Continue, Lines: step()})
	r.pass(8 * time.Second)
	second := step()
	r.pass(8 * time.Second)
	third := step()
	r.pass(40 * time.Second)
	r.one("w2")
	for range 2 {
		r.late(task, 2, stage.Outcome{Status: stage.Continue, Lines: append(second, third...)})
	}
	if told := r.toldLate(id); len(told) != 2 {
		t.Errorf("of two steps that look like one before are told: %q", told)
	}
}

// What a region's worker said of one is not known of another.
func TestWhatIsKnownOfARegionIsToldLateOfAnother(t *testing.T) {
	r := newRig(t)
	id := r.ship(strings.Replace(threeRegions, "[eu, [us, ap]]", "[[eu, us, ap]]", 1))
	tasks := r.inRegions()
	out := stage.Outcome{Status: stage.Continue, Lines: []stage.Line{{Kind: "deploy.said", Text: "It is up.", At: r.clock()}}}
	r.say(tasks["eu"], out)
	r.pass(31 * time.Second)
	r.lease("w2")
	us := tasks["us"]
	_, err := r.Report(context.Background(), drive.Report{
		Task: us.ID, Release: id, Environment: us.Environment, Region: us.Region, Entry: us.Entry, Stage: us.Stage.Name,
		Worker: us.Held, Fence: us.Fence, Number: 1, Late: true, Outcome: out,
	})
	if told := r.toldLate(id); err != nil || len(told) != 1 || r.count(id, "deploy.said") != 1 {
		t.Errorf("of us is told %q, %v", told, err)
	}
}

func TestTheEndingOfALongLateReportIsKept(t *testing.T) {
	r := newRig(t)
	id := r.ship(oneStage)
	task := r.one("w1")
	r.pass(31 * time.Second)
	r.one("w2")
	out := stage.Outcome{Status: stage.Failed, Reason: "it crashed"}
	for i := range 250 {
		out.Lines = append(out.Lines, stage.Line{Kind: "deploy.said", Text: fmt.Sprint("Line ", i), At: r.clock()})
	}
	r.late(task, 2, out)
	if told := r.toldLate(id); len(told) != 201 || !strings.HasSuffix(told[200], "it crashed") {
		t.Errorf("%d lines are told, the last one is %q", len(told), told[len(told)-1])
	}
}

func TestALateReportFromElsewhereIsRefused(t *testing.T) {
	r := newRig(t)
	id := r.ship(oneStage)
	task := r.one("w1")
	r.pass(31 * time.Second)
	r.one("w2")
	before := len(r.lines(id))
	for _, rep := range []drive.Report{
		{Environment: "staging"},
		{Environment: "production", Region: "north"},
		{Environment: "production", Stage: "none"},
	} {
		rep.Task, rep.Release, rep.Worker, rep.Fence, rep.Late, rep.Outcome = task.ID, id, "w1", task.Fence, true, takenBack(r.clock())
		if _, err := r.Report(context.Background(), rep); fault.CodeOf(err) != fault.Conflict {
			t.Errorf("a late report of %s/%s %s: %v", rep.Environment, rep.Region, rep.Stage, err)
		}
	}
	// One that is not late, and one of a release that is not there, changes nothing.
	r.send(task, 1, takenBack(r.clock()))
	if reply, err := r.Report(context.Background(), drive.Report{Release: "none", Environment: "production", Late: true, Outcome: takenBack(r.clock())}); !reply.Cancelled || err != nil {
		t.Errorf("of an unknown release: %+v, %v", reply, err)
	}
	if after := len(r.lines(id)); after != before {
		t.Errorf("%d lines were added", after-before)
	}
}

func TestAPartOfAStateIsPutTogether(t *testing.T) {
	r := newRig(t)
	r.ship(oneStage)
	task := r.one("w1")
	r.send(task, 1, stage.Outcome{Status: stage.Continue, State: []byte(`{"a":1,"b":2}`)})
	part := drive.Report{
		Task: task.ID, Release: task.Release, Environment: task.Environment, Worker: task.Held, Fence: task.Fence,
		Number: 2, Part: true, Outcome: stage.Outcome{Status: stage.Continue, State: []byte(`{"b":null,"c":3}`)},
	}
	for range 2 { // the second time it is known
		if _, err := r.Report(context.Background(), part); err != nil {
			t.Fatal(err)
		}
	}
	r.pass(31 * time.Second)
	if next := r.one("w2"); string(next.State) != `{"a":1,"c":3}` {
		t.Errorf("the next worker gets the state %s", next.State)
	}
}

func TestAWorkerIsNotGivenAnewWhatItHasInHand(t *testing.T) {
	r := newRig(t)
	r.ship(oneStage)
	task := r.one("w1")
	ask := drive.LeaseAsk{Worker: "w1", Max: 10, Resume: true, Holding: []string{task.ID}}
	if tasks, err := r.Lease(context.Background(), ask); err != nil || len(tasks) != 0 {
		t.Errorf("a worker that starts again got %v: %v", tasks, err)
	}
	if reply := r.send(task, 1, stage.Outcome{Status: stage.Continue}); reply.Cancelled {
		t.Error("it has lost what it had in hand")
	}
	r.pass(31 * time.Second)
	if tasks, err := r.Lease(context.Background(), ask); err != nil || len(tasks) != 0 {
		t.Errorf("after its lease it got %v: %v", tasks, err)
	}
	if r.one("w2").ID != task.ID {
		t.Error("another worker does not get it")
	}
}

func TestASignOfLifeRenewsALeaseBeforeItRunsOut(t *testing.T) {
	r := newRig(t)
	r.ship(oneStage)
	task := r.one("w1")
	sign := drive.Report{Task: task.ID, Release: task.Release, Environment: task.Environment, Worker: task.Held, Fence: task.Fence, Alive: true}
	for range 100 {
		r.pass(5 * time.Second)
		reply, err := r.Report(context.Background(), sign)
		if err != nil || reply.Cancelled || reply.LeaseUntil.Sub(r.clock()) < 15*time.Second {
			t.Fatalf("%s is left of the lease: %+v, %v", reply.LeaseUntil.Sub(r.clock()), reply, err)
		}
	}
	if tasks := r.lease("w2"); len(tasks) != 0 {
		t.Error("another worker got the task meanwhile")
	}
}
