package drive_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/stage"
)

func (r *rig) freeze(f drive.Freeze) {
	r.t.Helper()
	f.Reason, f.By = "incident", "ben"
	if err := r.store.Drive().Update(context.Background(), func(tx drive.Tx) error { return tx.AddFreeze(f) }); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) thaw(id string) {
	r.t.Helper()
	if err := r.store.Drive().Update(context.Background(), func(tx drive.Tx) error { return tx.EndFreeze(id, r.clock()) }); err != nil {
		r.t.Fatal(err)
	}
}

// lanesTold returns when the release was told that its lane is frozen or moves.
func (r *rig) lanesTold(id string, since time.Time) []string {
	var told []string
	for _, l := range r.lines(id) {
		if l.Kind == "lane.frozen" || l.Kind == "lane.thawed" {
			told = append(told, fmt.Sprint(l.Kind, " ", l.At.Sub(since).Round(10*time.Millisecond)))
		}
	}
	return told
}

// The clock of the bubble stands still while anybody works.
func TestEachWindowIsKeptHoweverShortItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.Drive = drive.New(drive.Config{Store: r.store.Drive(), Now: time.Now})
		ctx, stop := context.WithCancel(context.Background())
		done := make(chan error)
		go func() { done <- r.Run(ctx) }()
		defer func() { stop(); <-done }()
		id := r.ship(oneStage)
		r.one("w1")
		start := time.Now()
		ms := func(n int) time.Time { return start.Add(time.Duration(n) * time.Millisecond) }
		r.freeze(drive.Freeze{ID: "f1", From: ms(1200), Until: ms(1300)})
		r.freeze(drive.Freeze{ID: "f2", From: ms(1400), Until: ms(1500)})
		// Every two seconds, for one and a half.
		r.freeze(drive.Freeze{ID: "f3", From: ms(4000), Until: ms(7000), Rule: "FREQ=SECONDLY;INTERVAL=2", For: pipeline.Duration(1500 * time.Millisecond)})
		if err := r.CheckFreezes(ctx); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		want := []string{
			"lane.frozen 1.2s", "lane.thawed 1.3s", "lane.frozen 1.4s", "lane.thawed 1.5s",
			"lane.frozen 4s", "lane.thawed 5.5s", "lane.frozen 6s", "lane.thawed 7s",
		}
		if told := r.lanesTold(id, start); !slices.Equal(told, want) {
			t.Errorf("the release was told\n%v, want\n%v", told, want)
		}
	})
}

func TestAFreezeThatChangedWhileTheServerWasDownIsToldAtItsStart(t *testing.T) {
	r := newRig(t)
	ctx := context.Background()
	id := r.ship(oneStage)
	task := r.one("w1")
	start := r.clock()
	restart := func() {
		t.Helper()
		r.pass(time.Minute)
		r.Drive = drive.New(drive.Config{Store: r.store.Drive(), Now: r.clock})
		if err := r.CheckFreezes(ctx); err != nil {
			t.Fatal(err)
		}
	}
	restart()
	r.freeze(drive.Freeze{ID: "f1", From: r.clock(), Until: r.clock().Add(90 * time.Second)})
	restart()
	if reply := r.say(task, stage.Outcome{Status: stage.Continue}); reply.Hold == "" {
		t.Error("the task is not held in a window that began while the server was down")
	}
	restart()
	if reply := r.say(task, stage.Outcome{Status: stage.Continue}); reply.Hold != "" {
		t.Errorf("the task is held (%s) after a window that ended while the server was down", reply.Hold)
	}
	if told, want := r.lanesTold(id, start), []string{"lane.frozen 2m0s", "lane.thawed 3m0s"}; !slices.Equal(told, want) {
		t.Errorf("the release was told %v, want %v", told, want)
	}
}

func TestAFreezeTurnsOnlyWhenItSaysSo(t *testing.T) {
	from := time.Date(2026, 3, 6, 12, 0, 0, 0, time.UTC)
	for _, f := range []drive.Freeze{
		{From: from},
		{From: from, Until: from.Add(time.Hour)},
		{From: from, Rule: "FREQ=WEEKLY;BYDAY=FR", For: pipeline.Duration(6 * time.Hour)},
		{From: from, Rule: "FREQ=DAILY;COUNT=3", For: pipeline.Duration(30 * time.Hour)}, // the windows overlap
		{From: from, Until: from.AddDate(0, 0, 9), Rule: "FREQ=WEEKLY;BYDAY=MO,FR", For: pipeline.Duration(90 * time.Minute)},
		{From: from, Rule: "FREQ=NONSENSE", For: pipeline.Duration(time.Hour)},
	} {
		r := rand.New(rand.NewPCG(1, 2))
		for range 300 {
			now := from.Add(time.Duration(r.Int64N(int64(24*24*time.Hour))) - 3*24*time.Hour)
			turns := f.Turns(now)
			if !turns.IsZero() && !turns.After(now) {
				t.Fatalf("%+v turns at %s, not after %s", f, turns, now)
			}
			end := turns
			if turns.IsZero() {
				end = now.AddDate(1, 0, 0)
			}
			later := now.Add(time.Duration(r.Int64N(int64(end.Sub(now)))))
			if f.Active(later) != f.Active(now) {
				t.Fatalf("%+v is active at %s: %v, and at %s: %v, before it turns at %s", f, now, f.Active(now), later, f.Active(later), turns)
			}
		}
	}
}

// counting counts the updates of one of two servers.
type counting struct {
	drive.Store
	updates int
}

func (c *counting) Update(ctx context.Context, f func(drive.Tx) error) error {
	c.updates++
	return c.Store.Update(ctx, f)
}

// Reports wait for the turns of an update, and there is one for each server and freeze.
func TestAServerLeavesAloneWhatAnotherHasToldOfAFreeze(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		ctx := context.Background()
		store := &counting{Store: r.store.Drive()}
		other := drive.New(drive.Config{Store: store, Now: r.clock})
		look := func(d *drive.Drive) {
			t.Helper()
			if err := d.CheckFreezes(ctx); err != nil {
				t.Fatal(err)
			}
		}
		var running, waiting []string
		for i := range 30 {
			running = append(running, r.ship(serviceNeeds(fmt.Sprint("service", i))))
		}
		running = append(running, r.ship(serviceNeeds("service0"))) // behind the first in its lane
		look(r.Drive)
		look(other)
		r.freeze(drive.Freeze{ID: "f1", From: r.clock()})
		for i := range 15 {
			waiting = append(waiting, r.ship(serviceNeeds(fmt.Sprint("frozen", i))))
		}
		look(r.Drive)
		look(other)
		if store.updates != 0 {
			t.Errorf("all lanes knew that they are frozen, and the second server made %d updates", store.updates)
		}
		for _, id := range append(waiting, running...) {
			if told := r.lanesTold(id, r.clock()); len(told) != 1 {
				t.Errorf("release %s was told %v", id, told)
			}
		}
		r.thaw("f1")
		r.pass(time.Second)
		look(other)
		if store.updates == 0 {
			t.Error("the second server, which came first, told nobody")
		}
		for _, id := range append(waiting, running...) {
			if told := r.lanesTold(id, r.clock()); len(told) != 2 {
				t.Errorf("release %s was told %v", id, told)
			}
		}
		for _, id := range waiting {
			if lane := r.run(id).Environments[0].Lane; lane != pipeline.LaneHeld {
				t.Errorf("the lane of %s is %q after the freeze", id, lane)
			}
		}
	})
}

// between is a store that calls after a view, once.
type between struct {
	drive.Store
	views int // until the call
	call  func()
}

func (b *between) View(ctx context.Context, f func(drive.Tx) error) error {
	err := b.Store.View(ctx, f)
	if b.views--; b.views == 0 {
		b.call()
	}
	return err
}

// A report that is taken in just before a freeze ends, or begins, may be on disk only after the look.
func TestWhoDecidedByTheTimeBeforeAFreezeTurnedIsToldLater(t *testing.T) {
	for _, begins := range []bool{false, true} {
		for views := 1; views <= 3; views++ { // of the freezes, of the lanes in use, of what is in them
			t.Run(fmt.Sprintf("begins %t, after %d views", begins, views), func(t *testing.T) {
				r := newRig(t)
				turn := r.clock().Add(time.Minute)
				window := drive.Freeze{ID: "f1", From: r.clock(), Until: turn}
				if begins {
					window = drive.Freeze{ID: "f1", From: turn}
				}
				r.ship(oneStage)
				r.say(r.one("w1"), stage.Outcome{Status: stage.Failed, Reason: "bad"})
				undo := r.one("w1")
				r.freeze(window)
				if err := r.CheckFreezes(t.Context()); err != nil {
					t.Fatal(err)
				}
				next := r.ship(oneStage) // behind the one that goes back
				now := turn
				st := &between{Store: r.store.Drive(), views: -1, call: func() {
					r.say(undo, stage.Outcome{Status: stage.Passed})
				}}
				other := drive.New(drive.Config{Store: st, Now: func() time.Time { return now }})
				r.pass(turn.Sub(r.clock()) - time.Millisecond)
				st.views = views
				if err := other.CheckFreezes(t.Context()); err != nil {
					t.Fatal(err)
				}
				if st.views > 0 {
					t.Fatal("there are not so many views")
				}
				now = now.Add(2 * time.Second)
				if err := other.CheckFreezes(t.Context()); err != nil {
					t.Fatal(err)
				}
				e := r.run(next).Environments[0]
				if frozen := e.Frozen != ""; frozen != begins || e.Lane != pipeline.LaneHeld {
					t.Errorf("the lane of the next release is %q, frozen: %q", e.Lane, e.Frozen)
				}
			})
		}
	}
}

// A look that leaves lanes alone must not leave alone one that has something to be told.
func TestALookAtTheFreezesLeavesNothingToBeTold(t *testing.T) {
	for seed := range uint64(6) {
		r, ctx := newRig(t), t.Context()
		random := rand.New(rand.NewPCG(seed, 1))
		services := []string{"a", "b", "c"}
		any := func() string { return services[random.IntN(len(services))] }
		var freezes []string
		var tasks []stage.Task
		for step := range 80 {
			switch random.IntN(8) {
			case 0:
				r.ship(serviceNeeds(any()))
			case 1:
				r.retreat = random.IntN(4) == 0
				r.ship(serviceNeeds("a", "b"), serviceNeeds("b"))
				r.retreat = false
			case 2, 3:
				f := drive.Freeze{ID: fmt.Sprint("f", step), From: r.clock().Add(time.Duration(random.IntN(60)-20) * time.Second)}
				if random.IntN(2) == 0 {
					f.Service = any()
				}
				if random.IntN(2) == 0 {
					f.Until = f.From.Add(time.Duration(1+random.IntN(60)) * time.Second)
				}
				r.freeze(f)
				freezes = append(freezes, f.ID)
			case 4:
				if len(freezes) > 0 {
					r.thaw(freezes[0])
					freezes = freezes[1:]
				}
			default:
				tasks = append(tasks, r.lease("w1")...)
				if len(tasks) > 0 {
					out := stage.Outcome{Status: stage.Passed}
					if random.IntN(3) == 0 && !tasks[0].Undo {
						out = stage.Outcome{Status: stage.Failed, Reason: "bad"}
					}
					r.say(tasks[0], out)
					tasks = tasks[1:]
				}
			}
			r.pass(time.Duration(random.IntN(15)) * time.Second)
			d := drive.New(drive.Config{Store: r.store.Drive(), Now: r.clock})
			if err := d.CheckFreezes(ctx); err != nil {
				t.Fatal(err)
			}
			left, err := d.TellLanes(ctx)
			if err != nil || len(left) > 0 {
				t.Fatalf("after step %d of life %d lanes were left to be told: %v, %v", step, seed, left, err)
			}
		}
	}
}

// However it came about: a lane that nobody holds is granted at the next look.
func TestALookGrantsALaneThatNobodyHolds(t *testing.T) {
	r := newRig(t)
	first, next := r.ship(oneStage), r.ship(oneStage)
	err := r.store.Drive().Update(t.Context(), func(tx drive.Tx) error { return tx.LeaveLane("shop/production", first) })
	if err != nil {
		t.Fatal(err)
	}
	if err := r.CheckFreezes(t.Context()); err != nil {
		t.Fatal(err)
	}
	if lane := r.run(next).Environments[0].Lane; lane != pipeline.LaneHeld {
		t.Errorf("the lane of the next release is %q", lane)
	}
}
