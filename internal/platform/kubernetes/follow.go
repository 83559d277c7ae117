package kubernetes

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fairwayhq/fairway/internal/fault"
)

// stray is a pod whose labels are not as the mark says.
type stray struct {
	pod    *corev1.Pod
	labels map[string]any // what to write; nil takes a label away
}

// follow opens and closes the sides' pods, as the mark says. Each write is bound to the
// version of the pod that was read, and what cannot be done is an error: the mark has
// been written, so whoever comes next goes on from here.
func (p *Platform) follow(ctx context.Context, w *world) error {
	for _, s := range p.strays(w) {
		if err := p.label(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// mayFollow tries a change that Route is about to make, so that a worker which has no right
// to it hears of that before any weight is written.
func (p *Platform) mayFollow(ctx context.Context, w *world, shares map[string]int) error {
	s, ok := w.split.(selection)
	if !ok {
		return nil
	}
	for _, side := range w.sides {
		for _, pod := range w.podsBeside(side.revision.ID, s.home) {
			if shares[p.sideName(side.revision.ID)] > 0 && !isOpen(pod, s.own) {
				return p.label(ctx, stray{pod, anyValues(s.own)}, metav1.DryRunAll)
			}
		}
	}
	return nil
}

// label changes a pod's labels, or with metav1.DryRunAll only asks whether it might.
func (p *Platform) label(ctx context.Context, s stray, dryRun ...string) error {
	body, err := json.Marshal(map[string]any{"metadata": map[string]any{"resourceVersion": s.pod.ResourceVersion, "labels": s.labels}})
	if err != nil {
		return fault.Errorf(fault.Internal, "encode a patch: %w", err)
	}
	written, err := p.client(pods).Patch(ctx, s.pod.Name, types.MergePatchType, body, metav1.PatchOptions{FieldManager: fieldManager, DryRun: dryRun})
	switch {
	case apierrors.IsNotFound(err):
		return nil // it has gone, and its labels with it
	case stale(err):
		return err
	case err != nil:
		return faultOf(err, "change the labels of Pod "+s.pod.Name)
	}
	if len(dryRun) == 0 {
		p.namespace().pods.wrote(written)
	}
	return nil
}

// strays are the pods to change: first those that open, so that nobody's share is borne
// by fewer meanwhile.
func (p *Platform) strays(w *world) []stray {
	s, ok := w.split.(selection)
	if !ok || w.mark == nil {
		return nil
	}
	var opening, closing []stray
	for _, side := range w.sides {
		closed := map[string]any{}
		for key := range s.own {
			closed[key] = nil
			if value, has := side.deployment.Spec.Template.Labels[key]; has {
				closed[key] = value
			}
		}
		all := w.podsBeside(side.revision.ID, s.home)
		open := p.toOpen(all, s.own, w.mark.Open[p.sideName(side.revision.ID)])
		for _, pod := range all {
			switch is, should := isOpen(pod, s.own), slices.Contains(open, pod); {
			case should && !is:
				opening = append(opening, stray{pod: pod, labels: anyValues(s.own)})
			case is && !should:
				closing = append(closing, stray{pod: pod, labels: closed})
			}
		}
	}
	return append(opening, closing...)
}

// podsBeside are all pods of a side, whatever their template.
func (w *world) podsBeside(revision, home string) []*corev1.Pod {
	var all []*corev1.Pod
	for _, pod := range w.pods {
		if pod.Labels[revisionLabel] == revision && pod.Labels[homeLabel] == home {
			all = append(all, pod)
		}
	}
	return all
}

func isOpen(pod *corev1.Pod, selector map[string]string) bool {
	return labels.SelectorFromSet(selector).Matches(labels.Set(pod.Labels))
}

// toOpen chooses n of a side's pods: those that are ready before others, and of them
// those that are open before others, so that no connection is cut without need.
func (p *Platform) toOpen(all []*corev1.Pod, selector map[string]string, n int) []*corev1.Pod {
	if n == everyPod {
		return all
	}
	rank := func(pod *corev1.Pod) int {
		r := 0
		if ready, _ := readyCondition(pod); !ready {
			r += 2
		}
		if !isOpen(pod, selector) {
			r++
		}
		return r
	}
	sorted := slices.SortedStableFunc(slices.Values(all), func(a, b *corev1.Pod) int {
		if d := rank(a) - rank(b); d != 0 {
			return d
		}
		return byName(a, b)
	})
	return sorted[:min(n, len(sorted))]
}

func anyValues(m map[string]string) map[string]any {
	out := map[string]any{}
	for key, value := range m {
		out[key] = value
	}
	return out
}

// keepEvery is how often a keeper looks even if it has heard of nothing.
const keepEvery = 10 * time.Second

// keptTarget is a target whose pods are kept in line with their weights.
type keptTarget struct{ namespace, service, deployment string }

// keepOn starts the target's keeper, unless there is one.
func (p *Platform) keepOn() {
	c, key := p.cluster, p.kept()
	c.mu.Lock()
	defer c.mu.Unlock()
	_, runs := c.kept[key]
	if c.ctx.Err() != nil {
		return
	}
	c.kept[key] = c.now()
	if !runs {
		c.watches.Go(p.keep)
	}
}

func (p *Platform) kept() keptTarget {
	return keptTarget{p.settings.Namespace, p.settings.Service, p.settings.Deployment}
}

// keepsOn tells whether the keeper is needed: while something stands beside the home, or
// somebody has asked for the target lately. What it says is the last word: who asks later
// starts another one.
func (p *Platform) keepsOn(beside bool) bool {
	c, key := p.cluster, p.kept()
	c.mu.Lock()
	defer c.mu.Unlock()
	if beside || c.now().Sub(c.kept[key]) <= idleAfter {
		return true
	}
	delete(c.kept, key)
	return false
}

// keep sees to it that pods follow the mark while this process runs, also those that come
// when no verb is called: after a crash, a lost node, at an autoscaler's wish. It holds
// no lease and decides nothing; what it does is what the lease's holder has written.
func (p *Platform) keep() {
	heard := make(chan struct{}, 1)
	hear := func() {
		select {
		case heard <- struct{}{}:
		default:
		}
	}
	n := p.namespace()
	n.pods.onChange(hear)
	n.deployments.onChange(hear)
	p.anchors().onChange(hear)
	tick := time.NewTicker(keepEvery)
	defer tick.Stop()
	for said, beside := "", false; ; {
		select {
		case <-p.cluster.ctx.Done():
			return
		case <-heard:
		case <-tick.C:
		}
		now, err := p.keepOnce()
		switch {
		case err == nil:
			said, beside = "", now
		case p.cluster.ctx.Err() == nil && err.Error() != said:
			said = err.Error()
			p.config.Log.Warn("Pods could not be brought in line with their weights.", "service", p.settings.Namespace+"/"+p.settings.Service, "error", err)
		}
		if !p.keepsOn(beside) {
			return
		}
	}
}

// keepOnce brings pods in line, and tells whether something stands beside the home.
func (p *Platform) keepOnce() (beside bool, err error) {
	ctx, cancel := context.WithTimeout(p.cluster.ctx, verbLimit)
	defer cancel()
	w, err := p.view(ctx, false)
	if err != nil {
		return false, err
	}
	beside = len(w.sides) > 0
	if len(p.strays(w)) == 0 {
		return beside, nil
	}
	// The view may be older than what a verb has just written: only what is so in the
	// API server as well is brought in line.
	if w, err = p.view(ctx, true); err != nil {
		return beside, err
	}
	if err := p.follow(ctx, w); !stale(err) {
		return beside, err
	}
	return beside, nil // it has changed, so there is more to hear
}
