package stage_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/platform"
	"github.com/fairwayhq/fairway/internal/stage"
)

// unseen is a platform that cannot be looked at.
type unseen struct {
	platform.Platform
	err error
}

func (u unseen) Observe(context.Context, platform.Target) (platform.State, error) {
	return platform.State{}, u.err
}

func TestATargetThatCannotBeLookedAtFailsTheReleaseBeforeAnythingIsTouched(t *testing.T) {
	denied := fault.Errorf(fault.Denied, "the worker may not list pods").WithHint("give it the role")
	for name, c := range map[string]struct {
		err  error
		task func(*stage.Task)
		want stage.Status // empty where it is tried again
	}{
		"at the first look":            {denied, func(*stage.Task) {}, stage.Failed},
		"with settings that are wrong": {fault.Errorf(fault.Invalid, "there is no HTTPRoute shop").WithHint("make it first"), func(*stage.Task) {}, stage.Failed},
		"while an API is down":         {fault.Errorf(fault.Unavailable, "connection refused"), func(*stage.Task) {}, ""},
		"after the footing was noted":  {denied, func(k *stage.Task) { k.State = json.RawMessage(`{"known":true}`) }, ""},
		"in a later stage":             {denied, func(k *stage.Task) { k.Memories["deploy"] = json.RawMessage(`{"known":true}`) }, ""},
		"and there is nothing to undo": {denied, func(k *stage.Task) { k.Undo = true }, stage.Passed},
		"but something to undo": {denied, func(k *stage.Task) {
			k.Undo, k.Memories["canary"] = true, json.RawMessage(`{"known":true}`)
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			executors := stage.Executors(stage.Deps{Platform: func(string, json.RawMessage) (platform.Platform, error) {
				return unseen{newWorld(t, 1), c.err}, nil
			}, Now: time.Now})
			k := task(canaryStage())
			c.task(&k)
			out, err := executors[pipeline.KindCanary].Tick(t.Context(), k)
			if tried := err != nil; tried != (c.want == "") || out.Status != c.want {
				t.Fatalf("it is %q, %v", out.Status, err)
			}
			if c.want == stage.Failed && out.Reason != c.err.Error()+"; "+fault.HintOf(c.err) {
				t.Errorf("the reason is %q", out.Reason)
			}
		})
	}
}
