package drive_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/stage"
	"github.com/fairwayhq/fairway/internal/store"
	"github.com/fairwayhq/fairway/test/postgres"
)

// serviceNeeds is the definition of a service that needs others.
func serviceNeeds(name string, others ...string) string {
	text := "service: " + name + "\n"
	if len(others) > 0 {
		text += "with: [" + strings.Join(others, ", ") + "]\n"
	}
	return text + "host: {run: ./it, listen: \"127.0.0.1:8080\"}\nenvironments:\n  - name: production\n    stages: [{deploy: {}, timeLimit: 10m}]\n"
}

var (
	shop     = serviceNeeds("shop", "payments", "ledger")
	payments = serviceNeeds("payments", "ledger")
	ledgerOf = serviceNeeds("ledger")
)

// onBoth runs a test on either kind of store.
func onBoth(t *testing.T, test func(t *testing.T, r *rig)) {
	t.Run("SQLite", func(t *testing.T) { test(t, newRig(t)) })
	t.Run("PostgreSQL", func(t *testing.T) { test(t, rigOn(t, openShared(t, sharedDatabase(t)))) })
}

func sharedDatabase(t *testing.T) (url string) {
	t.Helper()
	url, err := postgres.ForTest(t, "fsync=off", "deadlock_timeout=1min").Create("together")
	if err != nil {
		t.Fatal(err)
	}
	return url
}

func openShared(t *testing.T, url string) *store.Postgres {
	t.Helper()
	st, err := store.OpenPostgres(context.Background(), store.PostgresConfig{URL: url, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	return st
}

func (r *rig) passed(service string) {
	r.t.Helper()
	task := r.one("w1")
	if task.Service != service || task.Undo {
		r.t.Fatalf("the task is for %s (undo: %v), want %s", task.Service, task.Undo, service)
	}
	r.say(task, stage.Outcome{Status: stage.Passed, Exposed: true})
}

func (r *rig) undone(service string) {
	r.t.Helper()
	task := r.one("w1")
	if task.Service != service || !task.Undo {
		r.t.Fatalf("the task is for %s (undo: %v), want to undo %s", task.Service, task.Undo, service)
	}
	r.say(task, stage.Outcome{Status: stage.Passed})
}

func (r *rig) wantHome(target, want string) {
	r.t.Helper()
	if got := r.home(target); got != want {
		r.t.Errorf("%q is at home at %s, want %q", got, target, want)
	}
}

func TestServicesMoveInOrderAndReturnInTheOpposite(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		alone := r.ship(payments)
		r.passed("payments")
		before := r.ship(shop)
		r.passed("shop")

		id := r.ship(shop, payments, ledgerOf)
		first := r.one("w1")
		if first.Entry != "production:ledger" || first.Target().String() != "ledger/production" || first.Fence != 1 {
			t.Fatalf("the first task is %+v", first)
		}
		r.say(first, stage.Outcome{Status: stage.Passed, Exposed: true})
		next := r.one("w1")
		if next.Target().String() != "payments/production" || next.Fence != 2 || next.Revision.Artifact.Ref != "./other" {
			t.Fatalf("then comes %+v", next)
		}
		r.say(next, stage.Outcome{Status: stage.Passed, Exposed: true})
		r.wantHome("payments/production", id)
		r.wantHome("shop/production", before)

		r.say(r.one("w1"), stage.Outcome{Status: stage.Failed, Exposed: true, Reason: "bad"})
		for _, service := range []string{"shop", "payments", "ledger"} {
			r.undone(service)
		}
		r.want(id, pipeline.RunRolledBack)
		r.wantHome("shop/production", before)
		r.wantHome("payments/production", alone)
		r.wantHome("ledger/production", "")
		r.lines(id) // whole
	})
}

func TestAPromotedReleaseGoesBackInAllOfItsServices(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		id := r.ship(shop, payments)
		r.passed("payments")
		r.passed("shop")
		r.want(id, pipeline.RunSucceeded)
		later := r.ship(payments)
		r.apply(id, pipeline.Event{Kind: pipeline.EventRollback, Actor: "carl"})
		r.say(r.one("w1"), stage.Outcome{Status: stage.Failed, Reason: "bad"}) // of the later one
		r.undone("payments")
		r.want(later, pipeline.RunFailed)
		r.undone("shop")
		r.undone("payments")
		r.want(id, pipeline.RunRolledBack)
		r.wantHome("payments/production", "")
	})
}

func TestWhatAnotherReleaseHasReplacedIsNotTakenBack(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		id := r.ship(shop, payments)
		r.passed("payments")
		r.passed("shop")
		later := r.ship(payments)
		r.passed("payments")
		r.apply(id, pipeline.Event{Kind: pipeline.EventRollback, Actor: "carl"})
		r.undone("shop")
		if tasks := r.lease("w1"); len(tasks) > 0 {
			t.Errorf("%s is taken back from its newer release", tasks[0].Service)
		}
		r.wantHome("payments/production", later)
	})
}

func TestWhatANewerReleaseMayNeedIsNotTakenBack(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		id := r.ship(shop, payments)
		r.passed("payments")
		r.passed("shop")
		newer := r.ship(shop)
		task := r.one("w1")
		r.apply(id, pipeline.Event{Kind: pipeline.EventRollback, Actor: "carl"}) // which queues behind the newer one
		r.say(task, stage.Outcome{Status: stage.Passed, Exposed: true})
		if tasks := r.lease("w1"); len(tasks) > 0 {
			t.Errorf("%s is taken back from under the newer shop", tasks[0].Service)
		}
		r.want(id, pipeline.RunSucceeded)
		if !r.told(id, "release.rollback-void") {
			t.Error("nobody was told why")
		}
		r.wantHome("shop/production", newer)
		r.wantHome("payments/production", id)
	})
}

func TestAReleaseHoldsTheLanesOfAllItsServicesOrNone(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		moving := r.ship(ledgerOf)
		both := r.ship(shop, payments, ledgerOf)
		behind := r.ship(payments) // which the other one was before
		task := r.one("w1")
		if task.Release != moving {
			t.Fatalf("%s moves", task.Release)
		}
		if e := r.run(both).Environments[0]; e.Lane != pipeline.LaneQueued {
			t.Errorf("the lane of a release that has to wait for one of them is %q", e.Lane)
		}
		if !r.told(both, "lane.queued") || !r.told(behind, "lane.queued") {
			t.Error("who waits was not told so")
		}
		r.say(task, stage.Outcome{Status: stage.Passed, Exposed: true})
		for _, service := range []string{"ledger", "payments", "shop"} {
			r.passed(service)
		}
		r.want(both, pipeline.RunSucceeded)
		if task := r.one("w1"); task.Release != behind {
			t.Errorf("then moves %s", task.Release)
		}
	})
}

func TestOnlyAReleaseWithAllServicesTakesTheOthersPlace(t *testing.T) {
	r := newRig(t)
	r.ship(ledgerOf)
	both := r.ship(shop, ledgerOf)
	r.ship(shop)
	if state := r.run(both).State; state != pipeline.RunRunning {
		t.Errorf("a release of shop alone made one of shop and ledger %s", state)
	}
	r.ship(shop, ledgerOf, payments)
	r.want(both, pipeline.RunSuperseded)
}

func TestAFreezeOfOneServiceHoldsTheRelease(t *testing.T) {
	r := newRig(t)
	freeze := func(change func(tx drive.Tx) error) {
		t.Helper()
		if err := r.store.Drive().Update(t.Context(), change); err != nil {
			t.Fatal(err)
		}
		if err := r.CheckFreezes(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	freeze(func(tx drive.Tx) error {
		return tx.AddFreeze(drive.Freeze{ID: "f1", Service: "payments", Reason: "audit", By: "ben", From: r.clock()})
	})
	both := r.ship(shop, payments)
	alone := r.ship(ledgerOf)
	if task := r.one("w1"); task.Release != alone {
		t.Errorf("%s moves", task.Release)
	}
	other := r.ship(serviceNeeds("shop") + "supersede: false\n")
	if task := r.one("w1"); task.Release != other {
		t.Errorf("%s moves, and nothing freezes shop alone", task.Release)
	}
	if e := r.run(both).Environments[0]; !strings.Contains(e.Frozen, "audit") {
		t.Errorf("who waits was told %q", e.Frozen)
	}
	freeze(func(tx drive.Tx) error { return tx.EndFreeze("f1", r.clock()) })
	if e := r.run(both).Environments[0]; e.Frozen != "" {
		t.Errorf("after the freeze it is still told %q", e.Frozen)
	}
}

func TestAFreezeHoldsTheServiceThatMovesForOneThatFollows(t *testing.T) {
	r := newRig(t)
	r.ship(shop, payments)
	task := r.one("w1") // of payments
	freeze := drive.Freeze{ID: "f1", Service: "shop", Environment: "production", Reason: "audit", By: "ben", From: r.clock()}
	if err := r.store.Drive().Update(t.Context(), func(tx drive.Tx) error { return tx.AddFreeze(freeze) }); err != nil {
		t.Fatal(err)
	}
	if err := r.CheckFreezes(t.Context()); err != nil {
		t.Fatal(err)
	}
	if reply := r.say(task, stage.Outcome{Status: stage.Continue}); !strings.Contains(reply.Hold, "audit") {
		t.Errorf("the task of payments is held with %q, while shop is frozen", reply.Hold)
	}
}

func TestServicesAndRegionsGoBackTogether(t *testing.T) {
	inRegions := func(definition string) string {
		return strings.Replace(definition, "    stages:", "    regions: [eu, us]\n    waves: [[eu, us]]\n    stages:", 1)
	}
	onBoth(t, func(t *testing.T, r *rig) {
		id := r.ship(inRegions(shop), inRegions(payments))
		for _, task := range r.lease("w1") {
			if task.Service != "payments" {
				t.Fatalf("%s goes to %s before payments is everywhere", task.Service, task.Region)
			}
			r.say(task, stage.Outcome{Status: stage.Passed, Exposed: true})
		}
		r.wantHome("payments/production/eu", id)
		wave := r.inRegions()
		if got := regions(wave); got != "eu us" || wave["eu"].Entry != "production/eu:shop" {
			t.Fatalf("then %s goes to %s", wave["eu"].Entry, got)
		}
		r.say(wave["us"], stage.Outcome{Status: stage.Failed, Exposed: true, Reason: "bad"})
		back := r.inRegions()
		if back["eu"].Service != "shop" || back["us"].Service != "shop" || len(back) != 2 {
			t.Fatalf("%s and %s go back first", back["eu"].Entry, back["us"].Entry)
		}
		r.say(back["us"], stage.Outcome{Status: stage.Passed})
		if task := r.one("w1"); task.Entry != "production/us:payments" { // eu's shop is still on its way
			t.Errorf("then goes back %s", task.Entry)
		} else {
			r.say(task, stage.Outcome{Status: stage.Passed})
		}
		r.say(back["eu"], stage.Outcome{Status: stage.Passed})
		r.undone("payments")
		r.want(id, pipeline.RunRolledBack)
		for _, target := range []string{"shop/production/eu", "shop/production/us", "payments/production/eu", "payments/production/us"} {
			r.wantHome(target, "")
		}
	})
}

// Two servers take releases of overlapping services through one database at the same time:
// whatever turns they meet in, each release comes to its end, and nobody shares a lane.
func TestReleasesOfOverlappingServicesDoNotLockEachOtherOut(t *testing.T) {
	url := sharedDatabase(t)
	const each = 9
	sets := [][]string{{payments, ledgerOf}, {payments}, {ledgerOf}}
	var rigs []*rig
	for i := range 2 {
		r := rigOn(t, openShared(t, url))
		r.of, r.now = fmt.Sprint("s", i), time.Now()
		rigs = append(rigs, r)
	}
	var made sync.Map
	var shipping, working sync.WaitGroup
	for _, r := range rigs {
		shipping.Go(func() {
			for n := range each {
				made.Store(r.ship("supersede: false\n"+shop, sets[n%len(sets)]...), r)
			}
		})
	}
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Minute)
	defer stop()
	done := make(chan string, 4*each*len(rigs))
	for i, r := range rigs {
		working.Go(func() {
			for ctx.Err() == nil {
				tasks, _ := r.Lease(ctx, drive.LeaseAsk{Entries: true, Worker: fmt.Sprint("w", i), Max: 1, Wait: time.Second})
				for _, task := range tasks {
					_, err := r.Report(ctx, drive.Report{Task: task.ID, Release: task.Release, Environment: task.Environment, Entry: task.Entry,
						Worker: task.Held, Fence: task.Fence, Outcome: stage.Outcome{Status: stage.Passed, Exposed: true}})
					if err != nil && ctx.Err() == nil {
						t.Errorf("report %s: %v", task.Entry, err)
					}
					done <- task.Release
				}
			}
		})
	}
	shipping.Wait()
	want := len(rigs) * (each/3*3 + each/3*2 + each/3*2)
	for range want {
		select {
		case <-done:
		case <-ctx.Done():
			t.Fatalf("the releases did not all come to their end")
		}
	}
	stop()
	working.Wait()
	made.Range(func(id, r any) bool {
		r.(*rig).want(id.(string), pipeline.RunSucceeded)
		return true
	})
	var used []string
	_ = rigs[0].store.Drive().View(t.Context(), func(tx drive.Tx) (err error) { used, err = tx.LanesInUse(); return err })
	if len(used) > 0 {
		t.Errorf("lanes %v are still in use", used)
	}
	newest := map[string]bool{}
	for _, service := range []string{"shop", "payments", "ledger"} {
		newest[rigs[0].home(service+"/production")] = true
	}
	if newest[""] {
		t.Errorf("homes %v", slices.Collect(maps.Keys(newest)))
	}
}

func TestANotificationSaysWhichServiceItIsAbout(t *testing.T) {
	tells := func(definition string) string {
		return strings.Replace(definition, "stages: [", "stages: [{notify: {webhook: 'http://127.0.0.1:9/'}}, ", 1)
	}
	r := newRig(t)
	r.ship(tells(shop), tells(payments))
	var about []string
	err := r.store.Drive().View(t.Context(), func(tx drive.Tx) error {
		messages, err := tx.DueMessages(r.clock(), 10)
		for _, m := range messages {
			var body struct{ Service, Environment, Stage string }
			if err := json.Unmarshal(m.Body, &body); err != nil {
				return err
			}
			about = append(about, body.Service+" "+body.Environment+" "+body.Stage)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(about)
	if want := []string{"payments production notify:payments", "shop production notify"}; !slices.Equal(about, want) {
		t.Errorf("it was told about %q", about)
	}
}

// On the host platform nobody looks for drift; a service beside it is no reason to wait.
func TestAGateOnDriftLooksAtItsOwnServiceAlone(t *testing.T) {
	asks := func(definition string) string {
		return strings.Replace(definition, "stages: [", "stages: [{gate: '!drift.found'}, ", 1)
	}
	inRegions := func(definition string) string {
		return strings.Replace(definition, "    stages:", "    regions: [eu, us]\n    waves: [[eu, us]]\n    stages:", 1)
	}
	for name, regional := range map[string]func(string) string{
		"one region": func(definition string) string { return definition }, "two": inRegions,
	} {
		for asking, definitions := range map[string][2]string{"shop": {asks(shop), payments}, "payments": {shop, asks(payments)}} {
			t.Run(name+" "+asking, func(t *testing.T) {
				r := newRig(t)
				finish := func() {
					for tasks := r.lease("w1"); len(tasks) > 0; tasks = r.lease("w1") {
						for _, task := range tasks {
							r.say(task, stage.Outcome{Status: stage.Passed, Exposed: true})
						}
					}
				}
				home := r.ship(regional(shop), regional(payments))
				finish()
				r.want(home, pipeline.RunSucceeded)
				sees := func(count int) {
					t.Helper()
					if err := r.store.Drive().Update(t.Context(), func(tx drive.Tx) error {
						for _, e := range r.run(home).Plan.Environments {
							if e.Service != asking {
								continue
							}
							d := drive.Drift{Lane: drive.TargetOf(r.run(home).Plan, e.Name).String(), Release: home, Seen: drive.Seen{Count: count}, At: r.clock()}
							if err := tx.SaveDrift(d); err != nil {
								return err
							}
						}
						return nil
					}); err != nil {
						t.Fatal(err)
					}
				}
				sees(1)
				next := r.ship(regional(definitions[0]), regional(definitions[1]))
				if tasks := r.lease("w1"); len(tasks) > 0 {
					t.Errorf("%s goes on while %s has drifted", tasks[0].Entry, asking)
				}
				sees(0)
				r.apply(next, pipeline.Event{Kind: pipeline.EventWoken})
				finish()
				r.want(next, pipeline.RunSucceeded)
			})
		}
	}
}
