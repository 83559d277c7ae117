package stage_test

import (
	"strings"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/platform"
	"github.com/fairwayhq/fairway/internal/stage"
)

var deployStage = pipeline.Stage{Name: "deploy", Kind: pipeline.KindDeploy, Deploy: &pipeline.Deploy{}}

// ticking is a stage under way.
func (w *world) ticking(k stage.Task) *ticking {
	return &ticking{Task: k, w: w, executor: w.executors()[k.Stage.Kind]}
}

// vanish lets somebody delete what runs the new revision, as soon as it is so.
func (k *ticking) vanish(t *testing.T, when func() bool) {
	t.Helper()
	for range 5000 {
		if out := k.tick(t); out.Status != stage.Continue {
			t.Fatalf("it ended %s before (%s)", out.Status, out.Reason)
		}
		if when() {
			delete(k.w.placed, fresh)
			return
		}
	}
	t.Fatal("it never came so far")
}

// isTakenBack expects that the very next tick takes the traffic back, asks nobody, and that the
// undoing then ends well.
func (k *ticking) isTakenBack(t *testing.T) {
	t.Helper()
	out := k.tick(t)
	if out.Status != stage.Failed || out.Asks != "" || !strings.Contains(out.Reason, "v2 is not on the target any more: somebody has deleted it") {
		t.Fatalf("it is %s with %q (asks %q)", out.Status, out.Reason, out.Asks)
	}
	if k.w.weights[old] != platform.Whole {
		t.Errorf("the weights are %v", k.w.weights)
	}
	undo := k.Task
	undo.Undo, undo.State, undo.Memories[k.Stage.Name] = true, nil, k.State
	undo.Fence++
	if _, out := k.w.play(undo, never); out.Status != stage.Passed || k.w.weights[old] != platform.Whole {
		t.Errorf("its undoing ended %s (%s) with %v", out.Status, out.Reason, k.w.weights)
	}
}

func TestACanaryThatSomebodyHasDeletedLosesItsTrafficAtOnce(t *testing.T) {
	for name, foreign := range map[string]string{"alone": "", "and the weights are changed, too": byHand} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 51).withHome()
			k := w.ticking(task(canaryStage()))
			k.vanish(t, func() bool { return w.weights[fresh] > 0 })
			w.foreign = foreign
			k.isTakenBack(t)
		})
	}
}

// Where pods split the traffic it is at home already when somebody deletes the others; that is
// said until the weights are set anew, which the undoing does.
func TestACanaryWhosePodsSomebodyHasDeletedFails(t *testing.T) {
	w := newWorld(t, 52).withHome()
	k := w.ticking(task(canaryStage()))
	k.vanish(t, func() bool { return w.weights[fresh] > 0 })
	w.weights, w.foreign = platform.Weights{old: platform.Whole}, byHand
	routes := len(w.routed)
	k.isTakenBack(t)
	if len(w.routed) == routes {
		t.Error("nobody has set the weights anew")
	}
}

func TestAWatchWhoseVersionSomebodyHasDeletedEndsAtOnce(t *testing.T) {
	w := newWorld(t, 53).withHome()
	canary, _ := w.play(task(canaryStage()), never)
	k := w.ticking(task(watchStage))
	k.Memories["canary"] = canary.State
	ticks := 0
	k.vanish(t, func() bool { ticks++; return ticks == 3 })
	k.isTakenBack(t)
}

func TestAPromotionWhoseVersionSomebodyHasDeletedIsTakenBack(t *testing.T) {
	w := newWorld(t, 54).withHome()
	canary, _ := w.play(task(canaryStage()), never)
	k := w.ticking(task(promoteStage))
	k.Memories["canary"] = canary.State
	k.vanish(t, func() bool { return true })
	k.isTakenBack(t)
}

func TestADeploymentWhoseVersionSomebodyHasDeletedIsTakenBack(t *testing.T) {
	w := newWorld(t, 55).withHome()
	k := w.ticking(task(deployStage))
	k.vanish(t, func() bool { return w.weights[fresh] == platform.Whole })
	k.isTakenBack(t)
}

func TestADrillThatSomebodyHasDeletedIsNotNoticed(t *testing.T) {
	w := newWorld(t, 56).withHome()
	drill := task(canaryStage())
	drill.Drill = &pipeline.Drill{Until: w.now.Add(time.Hour)}
	k := w.ticking(drill)
	k.vanish(t, func() bool { return w.weights[fresh] > 0 })
	out := k.tick(t)
	if out.Status != stage.Failed || out.Lines[len(out.Lines)-1].Kind != "drill.missed" {
		t.Errorf("it is %s with %+v", out.Status, out.Lines)
	}
}

func TestAnAudienceIsSentBackWhenSomebodyDeletesItsVersion(t *testing.T) {
	w, k := &choosingWorld{world: newWorld(t, 57).withHome()}, audienceTask()
	w.until(k, func(stage.Outcome) bool { return w.admitted == chosen })
	delete(w.placed, fresh)
	out := w.until(k, func(stage.Outcome) bool { return true })
	if out.Status != stage.Failed || !strings.Contains(out.Reason, "somebody has deleted it") || w.admitted != (platform.Match{}) {
		t.Errorf("it is %s (%s), and admitted are %+v", out.Status, out.Reason, w.admitted)
	}
}
