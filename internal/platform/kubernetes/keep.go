package kubernetes

import (
	"context"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// keepEvery is how often a keeper looks even if it has heard of nothing.
const keepEvery = 10 * time.Second

// keptTarget is a target whose pods are kept in line with their weights.
type keptTarget struct{ namespace, service, deployment string }

// keepOn starts the target's keeper, unless there is one. It is called at every look that
// sees a side, and a keeper ends when there is none.
func (p *Platform) keepOn() {
	c, key := p.cluster, keptTarget{p.settings.Namespace, p.settings.Service, p.settings.Deployment}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.kept[key] || c.ctx.Err() != nil {
		return
	}
	c.kept[key] = true
	c.watches.Go(func() {
		p.keep()
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.kept, key)
	})
}

// keep sees to it that pods follow the mark while this process runs and there are sides,
// also those that come when no verb is called: after a crash, a lost node, or as a side that
// has everything grows with the home. It holds no lease and decides nothing; what it does is
// what the lease's holder has written.
func (p *Platform) keep() {
	heard := make(chan struct{}, 1)
	hear := func() {
		select {
		case heard <- struct{}{}:
		default:
		}
	}
	defer p.listen(hear)()
	tick := time.NewTicker(keepEvery)
	defer tick.Stop()
	for said := ""; ; {
		select {
		case <-p.cluster.ctx.Done():
			return
		case <-heard:
		case <-tick.C:
		}
		sides, err := p.keepOnce()
		switch {
		case err == nil && !sides:
			return
		case err == nil:
			said = ""
		case p.cluster.ctx.Err() == nil && err.Error() != said:
			said = err.Error()
			p.config.Log.Warn("Pods could not be brought in line with their weights.", "service", p.settings.Namespace+"/"+p.settings.Service, "error", err)
		}
	}
}

// listen calls hear when something has changed that is the target's own, until the returned
// function is called. A namespace may have hundreds of others.
func (p *Platform) listen(hear func()) (end func()) {
	n, home := p.namespace(), p.settings.Deployment
	endPods := n.pods.onChange(hear, func(pod *corev1.Pod) bool { return pod.Labels[homeLabel] == home })
	endDeployments := n.deployments.onChange(hear, func(d *appsv1.Deployment) bool { return d.Name == home || d.Labels[homeLabel] == home })
	endAnchor := p.anchors().onChange(hear, func(*unstructured.Unstructured) bool { return true })
	return func() {
		endPods()
		endDeployments()
		endAnchor()
	}
}

// keepOnce brings the sides' pods in line, and tells whether there are sides.
func (p *Platform) keepOnce() (sides bool, err error) {
	ctx, cancel := context.WithTimeout(p.cluster.ctx, verbLimit)
	defer cancel()
	w, err := p.look(ctx, false)
	if err != nil {
		return false, err
	}
	if _, n := p.outgrown(w); len(p.strays(w)) == 0 && n == 0 {
		return len(w.sides) > 0, nil
	}
	// The view may be older than what another worker's verb has just written: only what is
	// so in the API server as well is brought in line.
	if err = p.confirm(ctx, w); err == nil {
		w.pods, err = p.namespace().pods.read(ctx, homeLabel+"="+p.settings.Deployment)
	}
	if err == nil {
		w.pods = living(w.pods)
		err = p.follow(ctx, w)
	}
	if s, n := p.outgrown(w); err == nil && n > 0 {
		err = p.scale(ctx, s.deployment, n)
	}
	if stale(err) {
		return true, nil // it has changed, so there is more to hear
	}
	return true, err
}

// outgrown is the side that has everything and fewer pods than the home has grown to since the
// first side came, and how many it should have; 0 if there is none. The home's autoscaler sees
// the side's pods as its own, and asks for what the whole traffic needs.
func (p *Platform) outgrown(w *world) (side, int) {
	if w.home == nil || w.mark == nil || w.mark.Beside == 0 || int(replicas(w.home)) <= w.mark.Beside {
		return side{}, 0
	}
	for _, s := range w.sides {
		if w.mark.Open[p.sideName(s.revision.ID)] == everyPod && replicas(s.deployment) < replicas(w.home) {
			return s, int(replicas(w.home))
		}
	}
	return side{}, 0
}
