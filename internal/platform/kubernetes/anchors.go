package kubernetes

import (
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// anchorKept is how long an anchor is watched after the last look at it. A worker may carry
// the releases of hundreds of services, of which few move at a time. It is longer than an
// own write is remembered.
const anchorKept = 2 * time.Minute

type anchorName struct {
	resource schema.GroupVersionResource
	name     string
}

// anchorMirror is the mirror of the one object that carries a target's weights, while it is
// looked at.
type anchorMirror struct {
	*mirror[*unstructured.Unstructured]
	used time.Time
}

// anchor returns the mirror of an anchor. Nobody may hold it for longer than a verb or,
// while it is looked at, a keeper.
func (n *namespace) anchor(c *cluster, in string, name anchorName) *mirror[*unstructured.Unstructured] {
	n.mu.Lock()
	defer n.mu.Unlock()
	a, ok := n.anchors[name]
	if !ok {
		whole := func(u *unstructured.Unstructured) (*unstructured.Unstructured, error) { return u, nil }
		a = &anchorMirror{mirror: newMirror(n.ctx, &c.watches, c.client.Resource(name.resource).Namespace(in), "metadata.name="+name.name, whole)}
		n.anchors[name] = a
		time.AfterFunc(anchorKept, func() { n.forget(name, a) })
	}
	a.used = time.Now()
	return a.mirror
}

// forget ends the watch of an anchor at which nobody looks any more.
func (n *namespace) forget(name anchorName, a *anchorMirror) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if left := anchorKept - time.Since(a.used); left > 0 {
		time.AfterFunc(left, func() { n.forget(name, a) })
		return
	}
	delete(n.anchors, name)
	a.stop()
}
