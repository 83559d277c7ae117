package stage_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/platform"
	"github.com/fairwayhq/fairway/internal/stage"
)

func TestAGoodCanaryGetsAllButTheHoldback(t *testing.T) {
	w := newWorld(t, 1).withHome()
	_, out := w.play(task(canaryStage()), never)
	if out.Status != stage.Passed || w.weights[fresh] != 950_000 || w.weights[old] != 50_000 {
		t.Fatalf("it ended %s (%s) with %v", out.Status, out.Reason, w.weights)
	}
	if w.home != old {
		t.Error("the home changed before the promotion")
	}
	for i := 1; i < len(w.routed); i++ {
		if w.routed[i][fresh] < w.routed[i-1][fresh] {
			t.Errorf("the weight of a good canary fell from %v to %v", w.routed[i-1], w.routed[i])
		}
	}
}

func TestABadCanaryIsTakenBackAtOnceAndItsUndoRetiresIt(t *testing.T) {
	w := newWorld(t, 2).withHome()
	w.errors = 0.06
	done, out := w.play(task(canaryStage()), never)
	if out.Status != stage.Failed || !out.Exposed || w.weights[old] != platform.Whole {
		t.Fatalf("it ended %s with %v", out.Status, w.weights)
	}
	if !strings.Contains(out.Reason, "errors") {
		t.Errorf("the reason is %q", out.Reason)
	}
	undo := task(canaryStage())
	undo.Undo, undo.Memories = true, map[string]json.RawMessage{"canary": done.State}
	if _, out := w.play(undo, never); out.Status != stage.Passed {
		t.Fatalf("the undo ended %s: %s", out.Status, out.Reason)
	}
	if _, there := w.placed[fresh]; there || w.home != old {
		t.Errorf("after the undo the new revision is there: %v, home %s", there, w.home)
	}
}

func TestADeadCanaryNeverGetsTraffic(t *testing.T) {
	w := newWorld(t, 3).withHome()
	w.dead = true
	_, out := w.play(task(canaryStage()), never)
	if out.Status != stage.Failed || out.Exposed || len(w.routed) != 0 {
		t.Fatalf("it ended %s, exposed %v, routed %v", out.Status, out.Exposed, w.routed)
	}
	if !strings.Contains(out.Reason, "exited with status 1") {
		t.Errorf("the reason is %q", out.Reason)
	}
}

func TestACanaryThatCrashesUnderTrafficIsTakenBack(t *testing.T) {
	w := newWorld(t, 4).withHome()
	w.crashes = true
	_, out := w.play(task(canaryStage()), never)
	if out.Status != stage.Failed || w.weights[old] != platform.Whole {
		t.Fatalf("it ended %s with %v", out.Status, w.weights)
	}
}

func TestWithoutEvidenceACanaryAsksAndIsNeitherPromotedNorTakenBack(t *testing.T) {
	for _, rule := range []pipeline.OnUndecided{pipeline.UndecidedHold, pipeline.UndecidedPromote, pipeline.UndecidedRollback} {
		t.Run(string(rule), func(t *testing.T) {
			w := newWorld(t, 5).withHome()
			w.noMetrics = "the router does not answer"
			k := task(canaryStage())
			k.OnUndecided = rule
			k, out := w.play(k, never)
			if out.Status != stage.Continue || !strings.Contains(out.Asks, "the router does not answer") {
				t.Fatalf("it ended %s and asks %q", out.Status, out.Asks)
			}
			if n := w.weights[fresh]; n == 0 || n > 250_000 {
				t.Errorf("without evidence the weight went to %d", n)
			}
			k.Decision = "promote"
			if _, out := w.play(k, never); out.Status != stage.Passed || !strings.Contains(out.Reason, "a person decided") {
				t.Errorf("after the decision it ended %s: %s", out.Status, out.Reason)
			}
		})
	}
}

func TestAHeldCanaryDoesNotAdvanceButMayRetreat(t *testing.T) {
	w := newWorld(t, 6).withHome()
	k := task(canaryStage())
	k.Hold = "paused by ben"
	e := w.executors()[pipeline.KindCanary]
	for range 120 {
		out, err := e.Tick(context.Background(), k)
		if err != nil {
			t.Fatal(err)
		}
		k.State = out.State
		w.now = w.now.Add(max(out.After, 10*time.Millisecond))
	}
	if len(w.routed) != 0 {
		t.Fatalf("a held canary was given %v", w.routed)
	}
	k.Hold = ""
	for w.weights[fresh] == 0 {
		out, err := e.Tick(context.Background(), k)
		if err != nil {
			t.Fatal(err)
		}
		k.State = out.State
		w.now = w.now.Add(max(out.After, 10*time.Millisecond))
	}
	k.Hold, w.errors = "the worker cannot reach the server", 0.3
	before := w.weights[fresh]
	_, out := w.play(k, func() bool {
		if w.weights[fresh] > before {
			t.Fatalf("a held canary grew to %v", w.weights)
		}
		return false
	})
	if out.Status != stage.Failed || w.weights[old] != platform.Whole {
		t.Errorf("a bad held canary ended %s with %v", out.Status, w.weights)
	}
}

func TestAFirstReleaseHasNothingToBeComparedWith(t *testing.T) {
	w := newWorld(t, 7)
	done, out := w.play(task(canaryStage()), never)
	if out.Status != stage.Passed || w.weights[fresh] != platform.Whole || w.home != fresh {
		t.Fatalf("it ended %s with %v", out.Status, w.weights)
	}
	undo := task(canaryStage())
	undo.Undo, undo.Memories = true, map[string]json.RawMessage{"canary": done.State}
	if _, out := w.play(undo, never); out.Status != stage.Passed || len(w.placed) != 0 || len(w.weights) != 0 {
		t.Errorf("undone it is %s with %v placed and %v routed", out.Status, w.placed, w.weights)
	}
}

// A worker may die after any step, having acted and not reported. Whatever is lost,
// the stage ends as it would have.
func TestLostReportsChangeNoOutcome(t *testing.T) {
	stages := map[string]pipeline.Stage{
		"canary":     canaryStage(),
		"deploy":     {Name: "deploy", Kind: pipeline.KindDeploy, Deploy: &pipeline.Deploy{}},
		"blue-green": {Name: "promote", Kind: pipeline.KindPromote, Promote: &pipeline.Promote{Strategy: pipeline.BlueGreen}},
		"rolling":    {Name: "promote", Kind: pipeline.KindPromote, Promote: &pipeline.Promote{Strategy: pipeline.Rolling, Batches: 2, Pause: pipeline.Duration(3 * time.Second)}},
		"holdback":   {Name: "promote", Kind: pipeline.KindPromote, Promote: &pipeline.Promote{Strategy: pipeline.BlueGreen, Holdback: 0.05}},
	}
	for name, s := range stages {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				w := newWorld(t, rapid.Uint64().Draw(rt, "seed")).withHome()
				w.dead = rapid.Bool().Draw(rt, "dead")
				bad := name == "canary" && rapid.Bool().Draw(rt, "bad")
				if bad {
					w.errors = 0.06
				}
				lose := func() bool { return w.random.IntN(4) == 0 }
				done, out := w.play(task(s), lose)
				want := stage.Passed
				if w.dead || bad {
					want = stage.Failed
				}
				if out.Status != want {
					rt.Fatalf("it ended %s: %s", out.Status, out.Reason)
				}
				undo := task(s)
				undo.Fence, undo.Undo, undo.Memories = done.Fence+1, true, map[string]json.RawMessage{s.Name: done.State}
				if _, out := w.play(undo, lose); out.Status != stage.Passed {
					rt.Fatalf("the undo ended %s: %s", out.Status, out.Reason)
				}
				if _, there := w.placed[fresh]; there || w.home != old || w.weights[old] != platform.Whole || w.placed[old].state.Capacity.Instances != 2 {
					rt.Fatalf("after the undo: home %s, weights %v", w.home, w.weights)
				}
			})
		})
	}
}

func TestAWatchPassesTheGoodAndTakesTheBadBack(t *testing.T) {
	for name, tc := range map[string]struct {
		errors float64
		want   stage.Status
	}{"good": {0.002, stage.Passed}, "bad": {0.05, stage.Failed}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 8).withHome()
			done, _ := w.play(task(canaryStage()), never)
			w.errors = tc.errors
			k := task(pipeline.Stage{Name: "watch", Kind: pipeline.KindWatch, Watch: &pipeline.Watch{Analysis: quick, For: pipeline.Duration(time.Minute), Holdback: 0.05}})
			k.Memories["canary"] = done.State
			_, out := w.play(k, never)
			if out.Status != tc.want {
				t.Fatalf("it ended %s: %s", out.Status, out.Reason)
			}
			if tc.want == stage.Failed && w.weights[old] != platform.Whole {
				t.Errorf("the traffic is %v", w.weights)
			}
		})
	}
}

// The time that the canary took counts; what is missing the watch adds.
func TestAWatchDoesNotEndBeforeTheRevisionIsOldEnough(t *testing.T) {
	for name, tc := range map[string]struct{ age, longest time.Duration }{
		"still young": {10 * time.Minute, 0},
		"old already": {30 * time.Second, time.Minute + 5*time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 8).withHome()
			exposed := w.now
			done, _ := w.play(task(canaryStage()), never)
			k := task(pipeline.Stage{Name: "watch", Kind: pipeline.KindWatch, Watch: &pipeline.Watch{
				Analysis: quick, For: pipeline.Duration(time.Minute), MinimumAge: pipeline.Duration(tc.age), Holdback: 0.05,
			}})
			k.Memories["canary"] = done.State
			began := w.now
			if _, out := w.play(k, never); out.Status != stage.Passed {
				t.Fatalf("it ended %s: %s", out.Status, out.Reason)
			}
			age, took := w.now.Sub(exposed), w.now.Sub(began)
			if age < tc.age || tc.longest > 0 && took > tc.longest {
				t.Errorf("the watch took %s and ended at the age of %s", took, age)
			}
		})
	}
}

func TestTheLastPromoteTakesTheOldOneAwayAndItsUndoBringsItBack(t *testing.T) {
	w := newWorld(t, 9).withHome()
	done, _ := w.play(task(canaryStage()), never)
	k := task(pipeline.Stage{Name: "promote", Kind: pipeline.KindPromote, Promote: &pipeline.Promote{Strategy: pipeline.Direct}})
	k.Memories["canary"] = done.State
	promoted, out := w.play(k, never)
	if _, there := w.placed[old]; out.Status != stage.Passed || w.home != fresh || there {
		t.Fatalf("it ended %s: home %s, the old one is there: %v", out.Status, w.home, there)
	}
	undo := k
	undo.Undo, undo.State = true, nil
	undo.Memories = map[string]json.RawMessage{"canary": done.State, "promote": promoted.State}
	if _, out := w.play(undo, never); out.Status != stage.Passed || w.home != old || w.placed[old].state.Capacity.Instances != 2 {
		t.Errorf("undone it is %s with home %s", out.Status, w.home)
	}
}

// What the platform refuses before it notes the fence is refused again, however often it is
// asked: a person hears of it.
func TestAnUndoEndsWhenThePreviousRevisionIsRefused(t *testing.T) {
	w := newWorld(t, 9).withHome()
	done, _ := w.play(task(canaryStage()), never)
	k := task(pipeline.Stage{Name: "promote", Kind: pipeline.KindPromote, Promote: &pipeline.Promote{Strategy: pipeline.Direct}})
	k.Memories["canary"] = done.State
	promoted, _ := w.play(k, never)
	w.refused = fault.Errorf(fault.Invalid, "the worker has no opening key")
	undo := k
	undo.Undo, undo.State, undo.Fence = true, nil, w.fence+1
	undo.Memories = map[string]json.RawMessage{"canary": done.State, "promote": promoted.State}
	if _, out := w.play(undo, never); out.Status != stage.Failed || !strings.Contains(out.Reason, "no opening key") || w.home != fresh {
		t.Errorf("it ended %s (%s) with home %s", out.Status, out.Reason, w.home)
	}
}

func TestUndoingAReleaseOfWhatWasAtHomeTouchesNothing(t *testing.T) {
	w := newWorld(t, 12)
	if _, out := w.play(task(canaryStage()), never); out.Status != stage.Passed {
		t.Fatal(out.Reason)
	}
	again := task(canaryStage())
	done, out := w.play(again, never)
	if out.Status != stage.Passed || !strings.Contains(out.Reason, "already at home") {
		t.Fatalf("the second time it ended %s: %s", out.Status, out.Reason)
	}
	for name, memories := range map[string]map[string]json.RawMessage{"with its memory": {"canary": done.State}, "without": {}} {
		t.Run(name, func(t *testing.T) {
			undo := task(canaryStage())
			undo.Undo, undo.Memories = true, memories
			if _, out := w.play(undo, never); out.Status != stage.Passed || w.weights[fresh] != platform.Whole || w.home != fresh {
				t.Errorf("undone it is %s with %v", out.Status, w.weights)
			}
		})
	}
}

func TestARollbackGivesAsMuchTrafficAsTheReadyInstancesBear(t *testing.T) {
	w := newWorld(t, 13).withHome()
	k := task(pipeline.Stage{Name: "deploy", Kind: pipeline.KindDeploy, Deploy: &pipeline.Deploy{}})
	done, _ := w.play(k, never)
	w.slowSecond = 10 * time.Second
	w.routed = nil
	undo := k
	undo.Undo, undo.State, undo.Memories = true, nil, map[string]json.RawMessage{"deploy": done.State}
	if _, out := w.play(undo, never); out.Status != stage.Passed || w.home != old {
		t.Fatalf("the undo ended %s: %s", out.Status, out.Reason)
	}
	if len(w.routed) != 2 || w.routed[0][old] != 500_000 || w.routed[1][old] != platform.Whole {
		t.Errorf("the traffic went back as %v", w.routed)
	}
}

func TestACanaryBesideADeadStableAsksAPerson(t *testing.T) {
	w := newWorld(t, 14).withHome()
	w.oldDead, w.aliveFrom = true, 99
	k, out := w.play(task(canaryStage()), never)
	if out.Status != stage.Continue || !strings.Contains(out.Asks, "no ready instance") {
		t.Fatalf("it ended %s: %s, asks %q", out.Status, out.Reason, out.Asks)
	}
	k.Decision = "promote"
	if _, out := w.play(k, never); out.Status != stage.Passed || w.weights[fresh] != platform.Whole {
		t.Errorf("after the decision it ended %s: %s with %v", out.Status, out.Reason, w.weights)
	}
}

func TestAHeldPromotionLeavesTheOldVersionWhereItIs(t *testing.T) {
	w := newWorld(t, 15).withHome()
	k := task(pipeline.Stage{Name: "deploy", Kind: pipeline.KindDeploy, Deploy: &pipeline.Deploy{}})
	e := w.executors()[pipeline.KindDeploy]
	for range 50 {
		out, err := e.Tick(context.Background(), k)
		if err != nil {
			t.Fatal(err)
		}
		k.State = out.State
		if w.weights[fresh] == platform.Whole {
			k.Hold = "the worker cannot reach the server"
		}
		if out.Status != stage.Continue {
			t.Fatalf("a held stage ended %s", out.Status)
		}
		w.now = w.now.Add(max(out.After, 10*time.Millisecond))
	}
	if _, there := w.placed[old]; !there {
		t.Error("the old version was taken away")
	}
}

func TestAnUndoAskedForAgainStartsWhatHadFailed(t *testing.T) {
	w := newWorld(t, 11).withHome()
	k := task(pipeline.Stage{Name: "deploy", Kind: pipeline.KindDeploy, Deploy: &pipeline.Deploy{}})
	done, out := w.play(k, never)
	if out.Status != stage.Passed {
		t.Fatal(out.Reason)
	}
	w.oldDead, w.aliveFrom = true, 3
	undo := k
	undo.Undo, undo.State, undo.Fence = true, nil, 2
	undo.Memories = map[string]json.RawMessage{"deploy": done.State}
	if _, out := w.play(undo, never); out.Status != stage.Failed || !strings.Contains(out.Reason, "the disk is full") {
		t.Fatalf("the undo ended %s: %s", out.Status, out.Reason)
	}
	if w.weights[fresh] != platform.Whole {
		t.Errorf("an undo that failed left %v", w.weights)
	}
	undo.Fence = 3
	if _, out := w.play(undo, never); out.Status != stage.Passed || w.home != old {
		t.Errorf("asked for again it ended %s: %s, home %s", out.Status, out.Reason, w.home)
	}
}

func TestAnOldLeaseIsRefused(t *testing.T) {
	w := newWorld(t, 10).withHome()
	k := task(canaryStage())
	w.fence = 5
	e := w.executors()[pipeline.KindCanary]
	out, err := e.Tick(context.Background(), k)
	if err != nil {
		t.Fatal(err)
	}
	k.State = out.State
	if _, err := e.Tick(context.Background(), k); !errors.Is(err, platform.ErrFenced) {
		t.Errorf("a tick with an old lease = %v", err)
	}
}

func TestAnUndoSaysWhenThePreviousVersionComesUpInPart(t *testing.T) {
	w := newWorld(t, 16).withHome()
	k := task(pipeline.Stage{Name: "deploy", Kind: pipeline.KindDeploy, Deploy: &pipeline.Deploy{}})
	done, _ := w.play(k, never)
	w.oldDead, w.oldLeft, w.aliveFrom = true, 1, 99
	undo := k
	undo.Undo, undo.State, undo.Memories = true, nil, map[string]json.RawMessage{"deploy": done.State}
	_, out := w.play(undo, never)
	if out.Status != stage.Failed || !strings.Contains(out.Reason, "only 1 of 2 instances") || !strings.Contains(out.Reason, "the disk is full") {
		t.Errorf("it ended %s: %s", out.Status, out.Reason)
	}
	if w.weights[old] != 500_000 || w.weights[fresh] != 500_000 {
		t.Errorf("one of two instances of the previous version bears half: %v", w.weights)
	}
}

// What has borne traffic until now is started again, or replaced: its share of the traffic
// follows when it is ready, and nobody has to ask.
func TestAnUndoWaitsForInstancesThatWereThereBefore(t *testing.T) {
	for _, c := range []struct {
		name string
		left int // of two
		back time.Duration
		want []int // of the traffic, in turn
		ends stage.Status
	}{
		{"one of two comes back", 1, time.Minute, []int{500_000, platform.Whole}, stage.Passed},
		{"all of them come back", 0, time.Minute, []int{platform.Whole}, stage.Passed},
		{"one does not come back in time", 1, time.Hour, []int{500_000}, stage.Failed},
		{"none comes back in time", 0, time.Hour, nil, stage.Failed},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, 18).withHome()
			done, _ := w.play(task(canaryStage()), never)
			w.routed = nil
			w.oldDead, w.oldLeft, w.aliveFrom = true, c.left, 99
			undo, began := task(canaryStage()), w.now
			undo.Undo, undo.Fence, undo.Deadline = true, 2, began.Add(10*time.Minute)
			undo.Memories = map[string]json.RawMessage{"canary": done.State}
			_, out := w.play(undo, func() bool {
				w.oldDead = w.now.Sub(began) < c.back
				return false
			})
			if out.Status != c.ends {
				t.Errorf("it ended %s after %s: %s", out.Status, w.now.Sub(began), out.Reason)
			}
			var got []int
			for _, weights := range w.routed {
				got = append(got, weights[old])
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("the traffic went back as %v", got)
			}
			if c.ends == stage.Failed && (w.now.Before(undo.Deadline) || !strings.Contains(out.Reason, "the disk is full")) {
				t.Errorf("it gave up after %s: %s", w.now.Sub(began), out.Reason)
			}
		})
	}
}

// Who serves nearly all serves the rest as well, also with an instance that fails.
func TestAnUndoTakesTheLastShareAtOnce(t *testing.T) {
	w := newWorld(t, 20).withHome()
	k := w.ticking(task(canaryStage()))
	for w.weights[fresh] == 0 {
		k.tick(t)
	}
	w.weights = platform.Weights{old: 950_000, fresh: 50_000}
	w.oldDead, w.oldLeft, w.aliveFrom = true, 1, 99
	undo := k.Task
	undo.Undo, undo.Fence, undo.State, undo.Deadline = true, 2, nil, w.now.Add(10*time.Minute)
	undo.Memories = map[string]json.RawMessage{"canary": k.State}
	began, back := w.now, w.ticking(undo)
	for w.weights[old] != platform.Whole && w.now.Sub(began) < time.Minute {
		back.tick(t)
	}
	if took := w.now.Sub(began); w.weights[old] != platform.Whole || took > time.Second {
		t.Errorf("after %s the traffic is %v", took, w.weights)
	}
}

func TestAnUndoDoesNotWaitForInstancesThatItHasPlacedItselfAndFailed(t *testing.T) {
	w := newWorld(t, 19).withHome()
	k := task(pipeline.Stage{Name: "deploy", Kind: pipeline.KindDeploy, Deploy: &pipeline.Deploy{}})
	done, _ := w.play(k, never)
	w.oldDead, w.oldLeft, w.aliveFrom = true, 1, 99
	began := w.now
	undo := k
	undo.Undo, undo.State, undo.Memories = true, nil, map[string]json.RawMessage{"deploy": done.State}
	undo.Deadline = began.Add(10 * time.Minute)
	if _, out := w.play(undo, never); out.Status != stage.Failed || w.now.Sub(began) > time.Minute {
		t.Errorf("it ended %s after %s: %s", out.Status, w.now.Sub(began), out.Reason)
	}
}
