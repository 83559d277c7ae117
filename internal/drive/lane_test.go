package drive_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/stage"
)

func TestAFreezeHoldsALaneAndThawingMovesIt(t *testing.T) {
	r := newRig(t)
	ctx := context.Background()
	moving := r.ship(oneStage)
	task := r.one("w1")
	freeze := drive.Freeze{ID: "f1", Reason: "incident", By: "ben", From: r.clock()}
	if err := r.store.Drive().Update(ctx, func(tx drive.Tx) error { return tx.AddFreeze(freeze) }); err != nil {
		t.Fatal(err)
	}
	if err := r.CheckFreezes(ctx); err != nil {
		t.Fatal(err)
	}
	if reply := r.say(task, stage.Outcome{Status: stage.Continue}); !strings.Contains(reply.Hold, "incident") {
		t.Errorf("the task is held with %q", reply.Hold)
	}
	r.say(task, stage.Outcome{Status: stage.Failed, Reason: "bad"}) // a retreat is never frozen
	r.say(r.one("w1"), stage.Outcome{Status: stage.Passed})
	r.want(moving, pipeline.RunFailed)
	waiting := r.ship(oneStage)
	if tasks := r.lease("w1"); len(tasks) != 0 {
		t.Fatal("a frozen lane was granted")
	}
	if e := r.run(waiting).Environments[0]; !strings.Contains(e.Frozen, "incident") {
		t.Errorf("who waits was told %q", e.Frozen)
	}
	if err := r.store.Drive().Update(ctx, func(tx drive.Tx) error { return tx.EndFreeze("f1", r.clock()) }); err != nil {
		t.Fatal(err)
	}
	if err := r.CheckFreezes(ctx); err != nil {
		t.Fatal(err)
	}
	if task := r.one("w1"); task.Release != waiting {
		t.Errorf("%s moves", task.Release)
	}
}

func TestABroughtBackReleaseIsHeldByNoFreeze(t *testing.T) {
	r := newRig(t)
	freeze := drive.Freeze{ID: "f1", Reason: "incident", By: "ben", From: r.clock()}
	if err := r.store.Drive().Update(context.Background(), func(tx drive.Tx) error { return tx.AddFreeze(freeze) }); err != nil {
		t.Fatal(err)
	}
	r.retreat = true
	id := r.ship(oneStage)
	if task := r.one("w1"); task.Release != id {
		t.Errorf("%s moves", task.Release)
	}
}

func TestARecurringFreezeIsActiveInItsWindowsOnly(t *testing.T) {
	friday := time.Date(2026, 3, 6, 12, 0, 0, 0, time.UTC)
	f := drive.Freeze{Reason: "no Friday afternoons", From: friday, Rule: "FREQ=WEEKLY;BYDAY=FR", For: pipeline.Duration(6 * time.Hour)}
	if err := f.Validate(); err != nil {
		t.Fatal(err)
	}
	for at, want := range map[time.Time]bool{
		friday.Add(-time.Minute):                false,
		friday:                                  true,
		friday.Add(5 * time.Hour):               true,
		friday.Add(6 * time.Hour):               false,
		friday.AddDate(0, 0, 7).Add(time.Hour):  true,
		friday.AddDate(0, 0, 10).Add(time.Hour): false,
	} {
		if got := f.Active(at); got != want {
			t.Errorf("active at %s: %v, want %v", at, got, want)
		}
	}
	for _, bad := range []drive.Freeze{
		{From: friday},
		{Reason: "x", From: friday, Until: friday},
		{Reason: "x", From: friday, Rule: "FREQ=SOMETIMES", For: pipeline.Duration(time.Hour)},
		{Reason: "x", From: friday, Rule: "FREQ=DAILY"},
	} {
		if bad.Validate() == nil {
			t.Errorf("%+v is accepted", bad)
		}
	}
}

func TestOneReleaseMovesInALaneAndANewerOneTakesTheQueuedOnesPlace(t *testing.T) {
	r := newRig(t)
	first, second, third := r.ship(oneStage), r.ship(oneStage), r.ship(oneStage)
	task := r.one("w1")
	if task.Release != first {
		t.Fatalf("the lane went to %s", task.Release)
	}
	r.want(second, pipeline.RunSuperseded)
	r.want(third, pipeline.RunRunning)
	r.wantLine(second, "lane.queued", "Waits behind shop v1 for the lane of production.", first)
	r.wantLine(second, "release.superseded", "Superseded: by the newer release shop v3.", third)
	r.wantLine(third, "lane.queued", "Waits behind shop v1 for the lane of production.", first)
	if r.told(first, "lane.queued") {
		t.Error("who got the lane at once was told to wait")
	}
	r.say(task, stage.Outcome{Status: stage.Passed, Exposed: true})
	if task := r.one("w1"); task.Release != third {
		t.Errorf("after the first, %s moves", task.Release)
	}
}

func TestAnOlderReleaseThatComesLaterDoesNotTakeTheNewersPlace(t *testing.T) {
	r := newRig(t)
	first := r.ship(oneStage)
	r.one("w1")
	older := r.ship(strings.Replace(oneStage, "[{deploy", "[{approval: {roles: [sre]}}, {deploy", 1))
	newer := r.ship(oneStage)
	r.apply(older, pipeline.Event{Kind: pipeline.EventApproved, Actor: "ben", Roles: []string{"sre"}})
	r.want(older, pipeline.RunSuperseded)
	r.want(newer, pipeline.RunRunning)
	r.want(first, pipeline.RunRunning)
}

func TestALateRollbackIsCalledOffWhenAnotherReleaseCameHomeFirst(t *testing.T) {
	r := newRig(t)
	second := func() string {
		id := r.ship(oneStage)
		r.say(r.one("w1"), stage.Outcome{Status: stage.Passed, Exposed: true})
		return id
	}
	second()
	home := second()
	next := r.ship(oneStage)
	task := r.one("w1")
	r.apply(home, pipeline.Event{Kind: pipeline.EventRollback, Actor: "ben"})
	r.want(home, pipeline.RunRollingBack)
	r.say(task, stage.Outcome{Status: stage.Passed, Exposed: true})
	r.want(home, pipeline.RunSucceeded)
	if !r.told(home, "release.rollback-void") || len(r.lease("w1")) != 0 {
		t.Error("the rollback was not called off")
	}
	var at string
	_ = r.store.Drive().View(context.Background(), func(tx drive.Tx) (err error) { at, err = tx.Home("shop/production"); return err })
	if at != next {
		t.Errorf("home is %s, want %s", at, next)
	}
}

// wantLine wants the release's first line of the kind to say the text to people,
// and to name the other release in its data.
func (r *rig) wantLine(id, kind, text, other string) {
	r.t.Helper()
	for _, l := range r.lines(id) {
		if l.Kind != kind {
			continue
		}
		if want := `{"releases":["` + other + `"]}`; l.Text != text || string(l.Data) != want {
			r.t.Errorf("%s says %q with %s, want %q with %s", kind, l.Text, l.Data, text, want)
		}
		return
	}
	r.t.Errorf("%s was not told %s", id, kind)
}
