package kubernetes

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// split is how the anchor divides a target's traffic among the home's Service and what
// stands for the sides: the weights of a route (backends), or which pods the one Service
// selects (selection). Shares are in parts per million, by the names of Services or sides,
// and sum to the whole; no shares mean that nobody gets any traffic.
type split interface {
	// shares are those in force; agree tells that all of the anchor says the same.
	shares() (shares map[string]int, agree bool)
	// possible refuses shares that cannot be given now; ready counts a side's ready pods.
	possible(shares map[string]int, ready func(side string) int) error
	// admissible refuses an anchor that leads elsewhere as well.
	admissible(known []string) error
	// begin notes what counts while sides stand, when the first one comes.
	begin(m *mark)
	// give returns the anchor as it gives the shares, nil if the mark alone tells. What
	// has to be known later is noted in the mark, whose Weights are the new ones already.
	give(m *mark, services []string, shares map[string]int) *unstructured.Unstructured
	// without returns the anchor without a side that goes; nil if it stays as it is.
	without(m *mark, gone string, services []string) *unstructured.Unstructured
	// left returns the anchor as it was before Fairway came, when there is no Deployment any
	// more; nil if it is so.
	left(m *mark) *unstructured.Unstructured
	// original are the weights to restore when the last side has gone.
	original() []*int64
	// disagreement says what it is if not all of the anchor says the same, and field what
	// of the anchor's spec tells the shares, as its managed fields name it.
	disagreement() string
	field() string
}

func (p *Platform) splitOf(w *world) (split, error) {
	if p.byPods() {
		return p.selectionOf(w)
	}
	return readBackends(w.anchor, p.settings.Service)
}
