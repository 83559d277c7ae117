package main

import (
	"context"
	"encoding/json"
	"math"
	"sync"
	"time"

	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/forecast"
	"github.com/fairwayhq/fairway/internal/judge"
	"github.com/fairwayhq/fairway/internal/stage"
)

// What the users of a region do: so many requests a second, looked at in intervals that
// take a moment here.
const (
	requests = 100.0
	interval = 15 * time.Second
	moment   = 200 * time.Millisecond
)

// work leases tasks and carries them out side by side, until the context ends. Of 200 regions
// there are fewer at a time than one worker may carry.
func (w *world) work(ctx context.Context, name string, running *sync.WaitGroup) {
	for ctx.Err() == nil {
		tasks, err := w.drive.Lease(ctx, drive.LeaseAsk{Entries: true, Worker: name, Max: 100, Wait: 10 * time.Second})
		if err != nil {
			return
		}
		for _, t := range tasks {
			running.Go(func() { w.carryOut(ctx, t) })
		}
	}
}

// carryOut is a stage, or its undoing, in one region.
func (w *world) carryOut(ctx context.Context, t stage.Task) {
	j := &job{w: w, t: t, ctx: ctx}
	target := t.Target().String()
	switch {
	case t.Undo:
		before := j.before()
		if j.verb() && j.says(stage.Outcome{Status: stage.Continue}) && j.verb() {
			w.route(target, before)
			_ = j.says(stage.Outcome{Status: stage.Continue}) && j.verb() && j.says(stage.Outcome{Status: stage.Passed})
		}
	case t.Stage.Canary != nil:
		j.canary(target)
	default:
		if j.verb() && j.says(stage.Outcome{Status: stage.Continue}) && j.verb() {
			w.route(target, t.Revision.ID)
			_ = j.says(stage.Outcome{Status: stage.Continue, Exposed: true}) && j.verb() && j.says(stage.Outcome{Status: stage.Passed, Exposed: true})
		}
	}
}

// job is one task being carried out.
type job struct {
	w   *world
	t   stage.Task
	ctx context.Context
	n   int64
}

// memory is what a canary leaves: who was at home.
type memory struct {
	Before string `json:"before"`
}

func remember(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

// before is who was at home before the release.
func (j *job) before() string {
	var m memory
	_ = json.Unmarshal(j.t.Memories["canary"], &m)
	return m.Before
}

// verb takes as long as a change of a platform may.
func (j *job) verb() bool {
	j.w.mu.Lock()
	long := time.Duration(j.w.random.Int64N(int64(j.w.c.slowest)))
	j.w.mu.Unlock()
	return j.wait(long)
}

func (j *job) wait(long time.Duration) bool {
	select {
	case <-j.ctx.Done():
		return false
	case <-time.After(long):
		return true
	}
}

// says reports, and tells whether to go on.
func (j *job) says(out stage.Outcome) bool {
	j.n++
	began := time.Now()
	reply, err := j.w.drive.Report(j.ctx, drive.Report{
		Task: j.t.ID, Release: j.t.Release, Environment: j.t.Environment, Entry: j.t.Entry, Worker: j.t.Held, Fence: j.t.Fence, Number: j.n, Outcome: out,
	})
	j.w.reports.Add(1)
	j.w.waited.Add(int64(time.Since(began)))
	return err == nil && !reply.Cancelled
}

// canary looks at both arms until the judge has decided.
func (j *job) canary(target string) {
	w := j.w
	w.mu.Lock()
	m := memory{Before: w.traffic[target]}
	w.mu.Unlock()
	if !j.verb() || !j.says(stage.Outcome{Status: stage.Continue, State: remember(m)}) {
		return
	}
	if m.Before == "" { // there is nothing to compare with
		_ = j.says(stage.Outcome{Status: stage.Passed, State: remember(m)})
		return
	}
	w.touch(target, j.t.Revision.ID)
	set := forecast.CanarySettings(j.t.Stage.Canary, j.t.FalseAlarm)
	at := time.Now()
	sees := judge.New(set, judge.Calibrate(judge.History{}, set, requests, 1), at)
	for {
		at = at.Add(interval)
		s := judge.Sample{At: at, Weight: 0.5, Stable: w.arm(m.Before), Canary: w.arm(j.t.Revision.ID)}
		sees.Observe(s)
		v := sees.Verdict(at)
		out := stage.Outcome{Status: stage.Continue, State: remember(m), Exposed: true, Points: []stage.Point{{Sample: s, Evidence: v.Evidence, Looked: at}}, Progress: &stage.Progress{Now: v.Sentence(), Weight: 0.5}}
		switch v.Kind {
		case judge.Pass:
			out.Status = stage.Passed
		case judge.Fail:
			out.Status, out.Reason = stage.Failed, v.Sentence()
			w.route(target, m.Before)
		}
		if !j.says(out) || out.Status != stage.Continue || !j.wait(moment) {
			return
		}
	}
}

// arm is what one of two equal arms did in an interval.
func (w *world) arm(revision string) judge.Arm {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := requests / 2 * interval.Seconds()
	bad := n * w.errors[revision]
	return judge.Arm{Requests: int64(n), Errors: int64(math.Max(0, math.Round(bad+math.Sqrt(bad)*w.random.NormFloat64()))), Instances: 4, WarmInstances: 4}
}

// touch notes that the revision has some of a region's users; route that it has all of them.
func (w *world) touch(target, revision string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.touched[target] == nil {
		w.touched[target] = map[string]bool{}
	}
	w.touched[target][revision] = true
}

func (w *world) route(target, revision string) {
	w.touch(target, revision)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.traffic[target], w.changed = revision, time.Now()
}
