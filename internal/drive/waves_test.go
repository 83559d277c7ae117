package drive_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/judge"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/stage"
)

const threeRegions = `service: shop
supersede: false
host: {run: ./shop, listen: "127.0.0.1:8080"}
environments:
  - name: production
    regions: [eu, us, ap]
    waves: [eu, [us, ap]]
    stages: [{deploy: {}, timeLimit: 10m}]
`

// inRegions leases all tasks there are, by region.
func (r *rig) inRegions() map[string]stage.Task {
	r.t.Helper()
	all := map[string]stage.Task{}
	for _, t := range r.lease("w1") {
		all[t.Region] = t
	}
	return all
}

// jobInRegions undoes more than traffic, so the waves go back one after the other.
var jobInRegions = strings.Replace(threeRegions, "{deploy", "{job: {run: ./up, undo: ./down}}, {deploy", 1)

// released takes a new release through all its regions.
func (r *rig) released() string { return r.releasedAs(threeRegions) }

func (r *rig) releasedAs(definition string) string {
	r.t.Helper()
	id := r.ship(definition)
	r.passAll()
	r.want(id, pipeline.RunSucceeded)
	return id
}

// passAll lets all tasks pass, and those that follow, and returns what was done: STAGE in
// REGION.
func (r *rig) passAll() (done []string) {
	r.t.Helper()
	for tasks := r.inRegions(); len(tasks) > 0; tasks = r.inRegions() {
		for _, region := range slices.Sorted(maps.Keys(tasks)) {
			done = append(done, tasks[region].Stage.Name+" in "+region)
			r.say(tasks[region], stage.Outcome{Status: stage.Passed, Exposed: true})
		}
	}
	return done
}

func (r *rig) home(target string) (id string) {
	r.t.Helper()
	err := r.store.Drive().View(context.Background(), func(tx drive.Tx) (err error) {
		id, err = tx.Home(target)
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return id
}

func (r *rig) wantHomes(eu, us, ap string) {
	r.t.Helper()
	for region, want := range map[string]string{"eu": eu, "us": us, "ap": ap} {
		if got := r.home("shop/production/" + region); got != want {
			r.t.Errorf("%q is at home in %s, want %q", got, region, want)
		}
	}
}

func regions(tasks map[string]stage.Task) string {
	return strings.Join(slices.Sorted(maps.Keys(tasks)), " ")
}

func TestRegionsAreTargetsAndShareOneLane(t *testing.T) {
	r := newRig(t)
	first := r.ship(threeRegions)
	eu := r.one("w1")
	if eu.Entry != "production/eu" || eu.Environment != "production" || eu.Region != "eu" || eu.Target().String() != "shop/production/eu" || eu.Fence != 1 {
		t.Fatalf("the first task is %+v", eu)
	}
	r.say(eu, stage.Outcome{Status: stage.Passed, Exposed: true})
	r.wantHomes(first, "", "")

	second := r.ship(threeRegions)
	wave := r.inRegions()
	if got := regions(wave); got != "ap us" || wave["us"].Release != first || wave["us"].Fence != 1 {
		t.Fatalf("then come %s of %s", got, wave["us"].Release)
	}
	for _, task := range wave {
		r.say(task, stage.Outcome{Status: stage.Passed, Exposed: true})
	}
	r.want(first, pipeline.RunSucceeded)
	if task := r.one("w1"); task.Release != second || task.Region != "eu" || task.Fence != 2 {
		t.Errorf("the second release begins with %+v", task)
	}
}

func TestARegionThatFailsBringsAllHomesBack(t *testing.T) {
	r := newRig(t)
	first := r.released()
	second := r.ship(threeRegions)
	r.say(r.one("w1"), stage.Outcome{Status: stage.Passed, Exposed: true})
	r.wantHomes(second, first, first)
	wave := r.inRegions()
	r.say(wave["us"], stage.Outcome{Status: stage.Failed, Exposed: true, Reason: "bad"})
	if reply := r.say(wave["ap"], stage.Outcome{Status: stage.Continue}); !reply.Cancelled {
		t.Error("the region beside it went on")
	}
	back := r.inRegions()
	if got := regions(back); got != "ap eu us" {
		t.Fatalf("%s go back", got)
	}
	for region, task := range back {
		if !task.Undo {
			t.Errorf("%s is not undone", region)
		}
		r.say(task, stage.Outcome{Status: stage.Passed})
	}
	r.want(second, pipeline.RunRolledBack)
	r.wantHomes(first, first, first)
	if len(r.inRegions()) > 0 {
		t.Error("there is still something to do")
	}
	r.lines(second) // whole
}

func TestAnOlderReleaseStaysWhereItComesBackThoughItDoesNotEverywhere(t *testing.T) {
	r := newRig(t)
	bad := r.released()
	r.retreat = true
	older := r.ship(strings.Replace(threeRegions, "[eu, [us, ap]]", "[[eu, us, ap]]", 1))
	tasks := r.inRegions()
	r.say(tasks["eu"], stage.Outcome{Status: stage.Passed, Exposed: true})
	r.say(tasks["us"], stage.Outcome{Status: stage.Failed, Exposed: true, Reason: "it does not come up"})
	if reply := r.say(tasks["ap"], stage.Outcome{Status: stage.Continue}); reply.Cancelled {
		t.Error("the region beside it was stopped")
	}
	r.say(tasks["ap"], stage.Outcome{Status: stage.Passed, Exposed: true})
	if got := strings.Join(r.passAll(), ", "); got != "deploy in us" {
		t.Errorf("undone are: %s", got)
	}
	r.want(older, pipeline.RunRolledBack)
	r.wantHomes(older, bad, older)
}

func TestALateRollbackLeavesRegionsAloneThatANewerReleaseHas(t *testing.T) {
	r := newRig(t)
	first := r.released()
	second := r.ship(strings.Replace(threeRegions, "    stages", "    takeBack: wave\n    stages", 1))
	r.say(r.one("w1"), stage.Outcome{Status: stage.Passed, Exposed: true})
	r.say(r.inRegions()["us"], stage.Outcome{Status: stage.Failed, Exposed: true, Reason: "bad"})
	// While the second release goes back, the wish queues for the lane.
	r.apply(first, pipeline.Event{Kind: pipeline.EventRollback, Environment: "production", Actor: "ben"})
	for _, task := range r.inRegions() {
		r.say(task, stage.Outcome{Status: stage.Passed})
	}
	r.want(second, pipeline.RunRolledBack)
	r.wantHomes(second, first, first)
	back := r.inRegions()
	if got := regions(back); got != "ap us" || back["us"].Release != first {
		t.Fatalf("%q of %s go back", got, back["us"].Release)
	}
	for _, task := range back {
		r.say(task, stage.Outcome{Status: stage.Passed})
	}
	r.want(first, pipeline.RunRolledBack)
	r.wantHomes(second, "", "")
}

func TestALateRollbackInTurnsLeavesAnOlderWaveAloneThatANewerReleaseHas(t *testing.T) {
	r := newRig(t)
	first := r.releasedAs(jobInRegions)
	second := r.ship(strings.Replace(threeRegions, "    stages", "    takeBack: wave\n    stages", 1))
	r.say(r.one("w1"), stage.Outcome{Status: stage.Passed, Exposed: true})
	r.say(r.inRegions()["us"], stage.Outcome{Status: stage.Failed, Exposed: true, Reason: "bad"})
	r.passAll()
	r.want(second, pipeline.RunRolledBack)
	r.wantHomes(second, first, first)
	r.apply(first, pipeline.Event{Kind: pipeline.EventRollback, Environment: "production", Actor: "ben"})
	if got := strings.Join(r.passAll(), ", "); got != "deploy in ap, deploy in us, job in ap, job in us" {
		t.Errorf("undone are: %s", got)
	}
	r.want(first, pipeline.RunRolledBack)
	r.wantHomes(second, "", "")
	if !r.told(first, "release.rollback-void") {
		t.Error("nobody was told of eu")
	}
}

func TestALateRollbackInTurnsGoesOnInTheOlderWaveThatANewerReleaseLeftOut(t *testing.T) {
	r := newRig(t)
	first := r.releasedAs(jobInRegions)
	second := r.ship(strings.Replace(threeRegions, "[eu, [us, ap]]", "[[us, ap], eu]\n    bake: 1h", 1))
	r.passAll()
	r.apply(second, pipeline.Event{Kind: pipeline.EventSkipped, Environment: "production/eu", Actor: "ben", Roles: []string{"sre"}, Reason: "a fair"})
	r.want(second, pipeline.RunSucceeded)
	r.wantHomes(first, second, second)
	r.apply(first, pipeline.Event{Kind: pipeline.EventRollback, Environment: "production", Actor: "ben"})
	if got := strings.Join(r.passAll(), ", "); got != "deploy in eu, job in eu" {
		t.Errorf("undone are: %s", got)
	}
	r.want(first, pipeline.RunRolledBack)
	r.wantHomes("", second, second)
	third := r.ship(threeRegions)
	if task := r.one("w1"); task.Release != third {
		t.Errorf("the lane is not free: %s moves", task.Release)
	}
}

// homeInEUOnly releases twice, the second time to all regions but eu, and lets the first one
// begin to go back there.
func (r *rig) homeInEUOnly() (first, second string, back stage.Task) {
	r.t.Helper()
	first = r.released()
	second = r.ship(strings.Replace(threeRegions, "[eu, [us, ap]]", "[[us, ap], eu]\n    bake: 1h", 1))
	r.passAll()
	r.apply(second, pipeline.Event{Kind: pipeline.EventSkipped, Environment: "production/eu", Actor: "ben", Roles: []string{"sre"}, Reason: "a fair"})
	r.wantHomes(first, second, second)
	r.apply(first, pipeline.Event{Kind: pipeline.EventRollback, Environment: "production/eu", Actor: "ben"})
	if back = r.one("w1"); back.Release != first || back.Region != "eu" || !back.Undo {
		r.t.Fatalf("what goes back is %+v", back)
	}
	return first, second, back
}

func TestAWishForAllRegionsWhileOneGoesBackLeavesThoseAloneThatANewerReleaseHas(t *testing.T) {
	r := newRig(t)
	first, second, eu := r.homeInEUOnly()
	for range 2 { // asking twice changes nothing
		r.apply(first, pipeline.Event{Kind: pipeline.EventRollback, Environment: "production", Actor: "ben"})
		if tasks := r.inRegions(); len(tasks) > 0 {
			t.Fatalf("%s go back too, where the newer release is at home", regions(tasks))
		}
		if !r.told(first, "release.rollback-void") {
			t.Fatal("nobody was told that they stay")
		}
	}
	r.say(eu, stage.Outcome{Status: stage.Passed})
	r.want(first, pipeline.RunRolledBack)
	r.wantHomes("", second, second)
	third := r.ship(threeRegions)
	if task := r.one("w1"); task.Release != third {
		t.Errorf("the lane is not free: %s moves", task.Release)
	}
}

func TestAWishForAllRegionsWhileOneGoesBackTakesThoseBackWhereTheReleaseIsStillAtHome(t *testing.T) {
	r := newRig(t)
	first := r.released()
	r.apply(first, pipeline.Event{Kind: pipeline.EventRollback, Environment: "production/eu", Actor: "ben"})
	eu := r.one("w1")
	r.apply(first, pipeline.Event{Kind: pipeline.EventRollback, Environment: "production", Actor: "ben"})
	r.say(eu, stage.Outcome{Status: stage.Passed})
	if got := strings.Join(r.passAll(), ", "); got != "deploy in ap, deploy in us" {
		t.Errorf("undone are: %s", got)
	}
	r.want(first, pipeline.RunRolledBack)
	r.wantHomes("", "", "")
}

// A region whose rollback was called off has not the lane that the others have.
func TestAWishThatWasCalledOffInARegionMayBeRepeated(t *testing.T) {
	r := newRig(t)
	first := r.released()
	second := r.ship(strings.Replace(threeRegions, "    stages", "    takeBack: wave\n    stages", 1))
	r.say(r.one("w1"), stage.Outcome{Status: stage.Passed, Exposed: true})
	r.say(r.inRegions()["us"], stage.Outcome{Status: stage.Failed, Exposed: true, Reason: "bad"})
	r.passAll()
	r.apply(first, pipeline.Event{Kind: pipeline.EventRollback, Environment: "production", Actor: "ben"})
	back := r.inRegions()
	r.apply(first, pipeline.Event{Kind: pipeline.EventRollback, Environment: "production/eu", Actor: "ben"})
	for _, task := range back {
		r.say(task, stage.Outcome{Status: stage.Passed})
	}
	r.want(first, pipeline.RunRolledBack)
	r.wantHomes(second, "", "")
}

func TestALateRollbackOfWhatIsNowhereAtHomeIsVoid(t *testing.T) {
	r := newRig(t)
	first := r.released()
	second := r.ship(threeRegions)
	r.say(r.one("w1"), stage.Outcome{Status: stage.Passed, Exposed: true})
	r.apply(first, pipeline.Event{Kind: pipeline.EventRollback, Environment: "production", Actor: "ben"})
	for _, task := range r.inRegions() {
		r.say(task, stage.Outcome{Status: stage.Passed, Exposed: true})
	}
	r.want(second, pipeline.RunSucceeded)
	r.want(first, pipeline.RunSucceeded)
	r.wantHomes(second, second, second)
	if !r.told(first, "release.rollback-void") {
		t.Error("nobody was told")
	}
	third := r.ship(threeRegions)
	if task := r.one("w1"); task.Release != third {
		t.Errorf("the lane is not free: %s moves", task.Release)
	}
}

func TestAFreezeBetweenTwoWavesHoldsTheNext(t *testing.T) {
	r := newRig(t)
	r.ship(strings.Replace(threeRegions, "    stages", "    bake: 30m\n    stages", 1))
	r.say(r.one("w1"), stage.Outcome{Status: stage.Passed, Exposed: true})
	err := r.store.Drive().Update(context.Background(), func(tx drive.Tx) error {
		return tx.AddFreeze(drive.Freeze{ID: "f1", Environment: "production", Reason: "fair", By: "ben", From: r.clock()})
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.CheckFreezes(context.Background()); err != nil {
		t.Fatal(err)
	}
	r.pass(31 * time.Minute)
	r.apply("rel1", pipeline.Event{Kind: pipeline.EventWoken})
	if got := r.inRegions(); len(got) > 0 {
		t.Fatalf("%s went on", regions(got))
	}
	err = r.store.Drive().Update(context.Background(), func(tx drive.Tx) error { return tx.EndFreeze("f1", r.clock()) })
	if err != nil {
		t.Fatal(err)
	}
	if err := r.CheckFreezes(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got := regions(r.inRegions()); got != "ap us" {
		t.Errorf("after the freeze %q go on", got)
	}
}

// What is carried from wave to wave is how slow young instances were, and no evidence.
func TestALaterWaveLearnsFromTheYoungInstancesOfEarlierOnes(t *testing.T) {
	r := newRig(t)
	r.ship(strings.Replace(threeRegions, "{deploy: {}, timeLimit: 10m}", "canary", 1))
	slow := judge.Histogram{Bounds: []float64{0.1}, Counts: []int64{90, 10}}
	first := r.one("w1")
	if len(first.Experience.ColdStart.Ages) > 0 {
		t.Error("the first region learns from nothing")
	}
	r.say(first, stage.Outcome{
		Status: stage.Passed, Exposed: true, State: []byte(`{"judge":{"tracks":[]}}`),
		Points: []stage.Point{{Sample: judge.Sample{At: r.clock(), Stable: judge.Arm{Requests: 100, Latency: slow}, Canary: judge.Arm{Requests: 100, Cold: slow}}, Evidence: 15}},
	})
	r.say(r.one("w1"), stage.Outcome{Status: stage.Passed}) // the promote that the plan adds
	for region, task := range r.inRegions() {
		if len(task.Experience.ColdStart.Ages) == 0 {
			t.Errorf("%s learned nothing", region)
		}
		if len(task.State) > 0 || len(task.Memories) > 0 {
			t.Errorf("%s begins with %s and %v", region, task.State, task.Memories)
		}
	}
}

func TestTheUndoOfARegionBeginsWithItsOwnMemory(t *testing.T) {
	r := newRig(t)
	r.released()
	id := r.ship(threeRegions)
	for _, task := range r.inRegions() {
		r.say(task, stage.Outcome{Status: stage.Passed, Exposed: true, State: []byte(`{"of":"eu"}`)})
	}
	second := r.inRegions()
	if len(second) != 2 {
		t.Fatalf("the second wave has the tasks %v", second)
	}
	for region, task := range second {
		r.say(task, stage.Outcome{Status: stage.Continue, State: []byte(`{"of":"` + region + `"}`), Exposed: true})
	}
	r.apply(id, pipeline.Event{Kind: pipeline.EventRollback, Actor: "ann", Environment: "production", Reason: "no"})
	undos := r.inRegions()
	if len(undos) != 3 {
		t.Fatalf("to undo there are %v", undos)
	}
	for region, task := range undos {
		state := string(task.State)
		if region == "eu" {
			if state != "" && state != `{"of":"eu"}` {
				t.Errorf("the undo in eu, which had passed, begins with %s", state)
			}
			continue
		}
		if !task.Undo || state != `{"of":"`+region+`"}` {
			t.Errorf("the undo in %s begins with %s", region, state)
		}
	}
}

func TestARegionsTaskIsGivenBackAndGoesOnAtOnce(t *testing.T) {
	r := newRig(t)
	r.ship(threeRegions)
	task := r.one("w1")
	r.leave(task, 1, stage.Outcome{Status: stage.Continue, State: []byte(`{"level":1}`)}, "")
	next := r.one("w2")
	if next.ID != task.ID || string(next.State) != `{"level":1}` {
		t.Errorf("the next worker got %+v", next)
	}
}

func TestASignOfLifeOfARegionWritesNothing(t *testing.T) {
	r := newRig(t)
	r.ship(threeRegions)
	task := r.one("w1")
	r.pass(time.Second)
	reply, err := r.Report(context.Background(), drive.Report{
		Task: task.ID, Release: task.Release, Environment: task.Environment, Region: task.Region, Entry: task.Entry,
		Worker: task.Held, Fence: task.Fence, Alive: true,
	})
	if err != nil || reply.Cancelled || !reply.LeaseUntil.Equal(task.LeaseUntil) {
		t.Errorf("the sign was answered with %+v, %v; the lease was until %s", reply, err, task.LeaseUntil)
	}
}

// What the worker's token is checked for is what the report says, so that must be the task's.
func TestAReportThatNamesAnotherEnvironmentThanItsEntrysChangesNothing(t *testing.T) {
	r := newRig(t)
	id := r.ship(threeRegions)
	task := r.one("w1")
	forged := drive.Report{
		Task: task.ID, Release: task.Release, Environment: "staging", Entry: task.Entry, Stage: task.Stage.Name,
		Worker: task.Held, Fence: task.Fence, Outcome: stage.Outcome{Status: stage.Failed, Reason: "forged"},
	}
	if reply, err := r.Report(context.Background(), forged); err != nil || !reply.Cancelled {
		t.Errorf("it was answered with %+v, %v", reply, err)
	}
	forged.Late = true
	if _, err := r.Report(context.Background(), forged); fault.CodeOf(err) != fault.Conflict {
		t.Errorf("told late, it was answered with %v", err)
	}
	for _, l := range r.lines(id) {
		if strings.Contains(l.Text, "forged") {
			t.Errorf("the ledger has %q", l.Text)
		}
	}
	r.want(id, pipeline.RunRunning)
}

func TestAWorkerThatDoesNotKnowRegionsGetsNone(t *testing.T) {
	r := newRig(t)
	r.ship(threeRegions)
	tasks, err := r.Lease(context.Background(), drive.LeaseAsk{Worker: "old", Max: 10})
	if err != nil || len(tasks) != 0 {
		t.Errorf("it got %v, %v", tasks, err)
	}
	if task := r.one("new"); task.Region != "eu" {
		t.Errorf("one that does got %+v", task)
	}
}
