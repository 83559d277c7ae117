package stage_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/platform"
	"github.com/fairwayhq/fairway/internal/stage"
)

// repository stands in for a Git repository and the people who merge; package git has
// its own tests with real ones.
type repository struct {
	w *world
	// said are the changes that it was told of, and when.
	said []stage.TruthChange
	when []time.Time
	// open says that a pull request waits; refused that it was closed; err is returned.
	open, refused bool
	err           error
	// now is what somebody else has written since.
	now string
}

func (r *repository) Withdraw(context.Context, pipeline.Git, stage.TruthChange) (stage.Told, error) {
	if r.err != nil || len(r.said) == 0 {
		return stage.Told{}, r.err
	}
	if r.open {
		r.open, r.refused = false, true
	}
	return stage.Told{Done: !r.refused, Refused: r.refused, Where: "pull/1"}, nil
}

func (r *repository) Tell(_ context.Context, _ pipeline.Git, c stage.TruthChange) (stage.Told, error) {
	if r.err != nil {
		return stage.Told{}, r.err
	}
	if !slices.Contains(r.said, c) {
		r.said, r.when = append(r.said, c), append(r.when, r.w.now)
	}
	return stage.Told{Done: !r.open && !r.refused, Refused: r.refused, Where: "4f2a", Overwritten: r.now}, nil
}

// promotion is a task that brings a revision home, with a repository to tell.
func promotion(w *world, controller string) stage.Task {
	w.truth = &repository{w: w}
	if home := w.placed[old]; home != nil {
		home.state.Revision.Artifact = platform.Artifact{Ref: "shop:v1", Digest: "sha256:1"}
	}
	k := task(pipeline.Stage{Name: "promote", Kind: pipeline.KindPromote, Promote: &pipeline.Promote{Strategy: pipeline.Direct}})
	k.Git = &pipeline.Git{Repository: "https://git.example.com/deploy", Controller: controller}
	k.Revision.Artifact = platform.Artifact{Ref: "shop:v2", Digest: "sha256:2"}
	return k
}

var (
	forward = stage.TruthChange{Release: "rel1", Service: "shop", Environment: "production", Image: "shop:v2@sha256:2"}
	back    = stage.TruthChange{Release: "rel1", Service: "shop", Environment: "production", Image: "shop:v1@sha256:1", Rollback: true, Replaces: "shop:v2@sha256:2"}
)

func TestTheRepositoryIsToldOfWhatHasAllTheTraffic(t *testing.T) {
	for _, controller := range []string{"", "argocd"} {
		w := newWorld(t, 51).withHome()
		_, out := w.play(promotion(w, controller), never)
		if out.Status != stage.Passed || !slices.Equal(w.truth.said, []stage.TruthChange{forward}) {
			t.Fatalf("%q: it ended %s (%s) and told %+v", controller, out.Status, out.Reason, w.truth.said)
		}
		alone := w.routedAt[len(w.routedAt)-1]
		if wait := w.truth.when[0].Sub(alone); controller != "" && wait < 10*time.Second {
			t.Errorf("the controller hears of it %s after the home lost its traffic", wait)
		}
	}
}

func TestAKilledWorkerTellsTheRepositoryOnce(t *testing.T) {
	w := newWorld(t, 52).withHome()
	n := 0
	_, out := w.play(promotion(w, ""), func() bool { n++; return n%3 == 0 })
	if out.Status != stage.Passed || !slices.Equal(w.truth.said, []stage.TruthChange{forward}) {
		t.Errorf("it ended %s (%s) and told %+v", out.Status, out.Reason, w.truth.said)
	}
}

func TestWhatSomebodyHasWrittenSinceIsSaid(t *testing.T) {
	w := newWorld(t, 62).withHome()
	k := promotion(w, "")
	w.truth.now = "shop:v9"
	var lines []stage.Line
	for e := w.executors()[k.Stage.Kind]; ; {
		out, err := e.Tick(t.Context(), k)
		if err != nil {
			t.Fatal(err)
		}
		k.State, w.now, lines = out.State, w.now.Add(max(out.After, 10*time.Millisecond)), append(lines, out.Lines...)
		if out.Status != stage.Continue {
			break
		}
	}
	said := slices.IndexFunc(lines, func(l stage.Line) bool { return l.Kind == "git.overwritten" })
	if said < 0 || !strings.Contains(lines[said].Text, "changed by somebody since. It says shop:v9 now: 4f2a.") {
		t.Errorf("the lines are %+v", lines)
	}
	if slices.ContainsFunc(lines, func(l stage.Line) bool { return l.Kind == "git.told" }) {
		t.Error("it is said that the repository says the new version")
	}
}

func TestAPullRequestIsWaitedFor(t *testing.T) {
	w := newWorld(t, 53).withHome()
	k := promotion(w, "")
	w.truth.open = true
	began := w.now
	_, out := w.play(k, func() bool {
		w.truth.open = w.now.Sub(began) < time.Hour
		return false
	})
	if out.Status != stage.Passed || w.now.Sub(began) < time.Hour {
		t.Errorf("after %s it ended %s (%s)", w.now.Sub(began), out.Status, out.Reason)
	}
}

func TestARepositoryThatRefusesTurnsTheReleaseRound(t *testing.T) {
	for why, set := range map[string]func(*repository){
		"closed":    func(r *repository) { r.refused = true },
		"protected": func(r *repository) { r.err = fault.Errorf(fault.Denied, "the branch is protected") },
	} {
		w := newWorld(t, 54).withHome()
		k := promotion(w, "")
		set(w.truth)
		if _, out := w.play(k, never); out.Status != stage.Failed || !strings.Contains(out.Reason, why) {
			t.Errorf("%s: it ended %s (%s)", why, out.Status, out.Reason)
		}
	}
}

func TestARollbackTellsTheRepositoryOfThePreviousRevision(t *testing.T) {
	w := newWorld(t, 55).withHome()
	k, out := w.play(promotion(w, ""), never)
	k.Memories[k.Stage.Name], k.State, k.Undo = out.State, nil, true
	k.Fence++
	if _, out = w.play(k, never); out.Status != stage.Passed || !slices.Equal(w.truth.said, []stage.TruthChange{forward, back}) {
		t.Errorf("it ended %s (%s) and told %+v", out.Status, out.Reason, w.truth.said)
	}
}

// A rollback never wins over somebody who has written another version since.
func TestARollbackLeavesWhatSomebodyHasWrittenSince(t *testing.T) {
	for _, controller := range []string{"", "argocd"} {
		w := newWorld(t, 63).withHome()
		k, out := w.play(promotion(w, controller), never)
		k.Memories[k.Stage.Name], k.State, k.Undo = out.State, nil, true
		k.Fence++
		w.truth.now = "shop:v9"
		var lines []stage.Line
		for e := w.executors()[k.Stage.Kind]; ; {
			var err error
			if out, err = e.Tick(t.Context(), k); err != nil {
				t.Fatal(err)
			}
			k.State, w.now, lines = out.State, w.now.Add(max(out.After, 10*time.Millisecond)), append(lines, out.Lines...)
			if out.Status != stage.Continue {
				break
			}
		}
		if w.weights[old] != platform.Whole {
			t.Errorf("%q: the weights are %v", controller, w.weights)
		}
		said := slices.ContainsFunc(lines, func(l stage.Line) bool {
			return l.Kind == "git.overwritten" && strings.Contains(l.Text, "a person has to decide") && strings.Contains(l.Text, "It says shop:v9 now: 4f2a.")
		})
		asked := out.Status == stage.Failed && strings.Contains(out.Reason, "it says shop:v9 at 4f2a, and was left")
		if said != (controller == "") || asked != (controller != "") {
			t.Errorf("%q: it ended %s (%s) with the lines %+v", controller, out.Status, out.Reason, lines)
		}

		// What somebody has set right is taken by the next try.
		w.truth.now, k.State, k.Memories[k.Stage.Name] = "", nil, out.State
		k.Fence++
		if _, out = w.play(k, never); out.Status != stage.Passed {
			t.Errorf("%q: tried again it ended %s (%s)", controller, out.Status, out.Reason)
		}
	}
}

// waiting is a world in which a revision is long in coming home.
type waiting struct{ *world }

func (waiting) Settle(context.Context, platform.Lease, platform.Target, string) (string, error) {
	return "the home is updated", nil
}

// A controller brings home what the repository says, so what a person must set right there
// is asked for at once.
func TestAControllerIsNotWaitedForWhereAPersonHasToSetTheRepositoryBack(t *testing.T) {
	for _, controller := range []string{"", "flux"} {
		w := newWorld(t, 64).withHome()
		k, out := w.play(promotion(w, controller), never)
		k.Memories[k.Stage.Name], k.State, k.Undo = out.State, nil, true
		k.Fence++
		w.truth.err = fault.Errorf(fault.Denied, "the branch is protected")
		e := stage.Executors(stage.Deps{
			Platform: func(string, json.RawMessage) (platform.Platform, error) { return waiting{w}, nil },
			Truth:    w.truth, Now: func() time.Time { return w.now },
		})[k.Stage.Kind]
		for range 100 {
			var err error
			if out, err = e.Tick(t.Context(), k); err != nil {
				t.Fatal(err)
			}
			k.State, w.now = out.State, w.now.Add(max(out.After, 10*time.Millisecond))
			if out.Status != stage.Continue {
				break
			}
		}
		if asked := out.Status == stage.Failed && strings.Contains(out.Reason, "protected"); asked != (controller != "") {
			t.Errorf("%q: it came to %s (%s)", controller, out.Status, out.Reason)
		}
	}
}

// open is a promotion whose pull request is not merged, and which is then taken back.
func open(w *world) stage.Task {
	k := promotion(w, "")
	k.Git.PullRequest = true
	w.truth.open = true
	for e := w.executors()[k.Stage.Kind]; len(w.truth.said) == 0; {
		out, err := e.Tick(w.t.Context(), k)
		if err != nil || out.Status != stage.Continue {
			w.t.Fatalf("it was never proposed: %+v, %v", out, err)
		}
		k.State, w.now = out.State, w.now.Add(max(out.After, 10*time.Millisecond))
	}
	k.Memories[k.Stage.Name], k.State, k.Undo = k.State, nil, true
	k.Fence++
	return k
}

func TestAnOpenPullRequestIsWithdrawnWhenItsReleaseIsTakenBack(t *testing.T) {
	w := newWorld(t, 58).withHome()
	k := open(w)
	n := 0
	_, out := w.play(k, func() bool { n++; return n%3 == 0 })
	if out.Status != stage.Passed || !w.truth.refused || !slices.Equal(w.truth.said, []stage.TruthChange{forward}) {
		t.Errorf("it ended %s (%s), told %+v, and the pull request is open: %v", out.Status, out.Reason, w.truth.said, w.truth.open)
	}
}

func TestAMergedPullRequestIsTakenBackByAnother(t *testing.T) {
	w := newWorld(t, 59).withHome()
	k := open(w)
	w.truth.open = false // merged in the last moment
	if _, out := w.play(k, never); out.Status != stage.Passed || !slices.Equal(w.truth.said, []stage.TruthChange{forward, back}) {
		t.Errorf("it ended %s (%s) and told %+v", out.Status, out.Reason, w.truth.said)
	}
}

func TestAPullRequestThatCannotBeClosedAsksAPersonWhenAllIsBack(t *testing.T) {
	w := newWorld(t, 60).withHome()
	k := open(w)
	w.truth.err = fault.Errorf(fault.Denied, "the token may not")
	if _, out := w.play(k, never); out.Status != stage.Failed || !strings.Contains(out.Reason, "cannot be closed: the token may not") || w.weights[old] != platform.Whole {
		t.Errorf("it ended %s (%s) with %v", out.Status, out.Reason, w.weights)
	}
}

func TestTheFirstReleasesPullRequestIsWithdrawnToo(t *testing.T) {
	w := newWorld(t, 61)
	k := open(w)
	if _, out := w.play(k, never); out.Status != stage.Passed || !w.truth.refused {
		t.Errorf("it ended %s (%s), and the pull request is open: %v", out.Status, out.Reason, w.truth.open)
	}
}

func TestARollbackThatTheRepositoryCannotBeToldOfAsksAPersonWhenAllIsBack(t *testing.T) {
	w := newWorld(t, 56).withHome()
	k := promotion(w, "")
	w.placed[old].state.Revision.Artifact.Digest = ""
	k, out := w.play(k, never)
	k.Memories[k.Stage.Name], k.State, k.Undo = out.State, nil, true
	k.Fence++
	if _, out = w.play(k, never); out.Status != stage.Failed || !strings.Contains(out.Reason, "digest") || w.weights[old] != platform.Whole {
		t.Errorf("it ended %s (%s) with %v", out.Status, out.Reason, w.weights)
	}
}

func TestWhatWasNeverToldIsNotTakenBack(t *testing.T) {
	w := newWorld(t, 57).withHome()
	k := promotion(w, "")
	k.Memories["canary"] = json.RawMessage(`{"known":true,"previous":{"id":"r-old","artifact":{"ref":"shop:v1","digest":"sha256:1"}},"capacity":{"instances":2}}`)
	k.Undo = true
	if _, out := w.play(k, never); out.Status != stage.Passed || len(w.truth.said) != 0 {
		t.Errorf("it ended %s (%s) and told %+v", out.Status, out.Reason, w.truth.said)
	}
}
