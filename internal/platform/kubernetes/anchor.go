package kubernetes

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/platform"
)

// fieldManager is the name under which Fairway owns the fields that it writes.
const fieldManager = "fairway"

// What Fairway writes on objects.
const (
	trafficAnnotation = "fairway.dev/traffic"  // on the anchor: a mark
	revisionLabel     = "fairway.dev/revision" // on what stands on a side, and its pods: its revision's ID
	homeLabel         = "fairway.dev/home"     // on what stands on a side, and its pods: the home beside which it stands
	placedAnnotation  = "fairway.dev/placed"   // on a Deployment: the whole revision, packed
	fenceAnnotation   = "fairway.dev/fence"    // on a Deployment: the fence of who wrote it last
	sinceAnnotation   = "fairway.dev/since"    // on a Deployment: when its pods were asked for
	createdAnnotation = "fairway.dev/created"  // on a home that was not there before
	minimumAnnotation = "fairway.dev/minimum"  // on an autoscaler: its minimum before it was raised
	managedByLabel    = "app.kubernetes.io/managed-by"
	managedByUs       = "fairway"
)

// mark is what Fairway keeps on the anchor, beside the weights: an annotation that is
// written with them in one update.
type mark struct {
	Fence  int64  `json:"fence"`
	Holder string `json:"holder"`
	// Home is the revision that last had all the traffic.
	Home string `json:"home,omitempty"`
	// Weights were written last, at RoutedAt.
	Weights  platform.Weights `json:"weights"`
	RoutedAt time.Time        `json:"routedAt,omitzero"`
	// Away are revisions that were retired and whose pods may still be there.
	Away []string `json:"away,omitempty"`
	// Original are the weights of the home's backendRefs before the release, one per rule.
	Original []*int64 `json:"original,omitempty"`
	// Asked is when the home's pods were given their time to become ready anew.
	Asked time.Time `json:"asked,omitzero"`
	// Moving is the revision whose config is written over the home's, until its pods follow.
	Moving string `json:"moving,omitempty"`
	// Open is, without a route, how many pods of each side the Service selects, by the
	// side's name; everyPod is all of them.
	Open map[string]int `json:"open,omitempty"`
	// Beside is, without a route, how many pods the home had when the first side was
	// placed: the weights that are possible stay the same while an autoscaler is at work.
	Beside int `json:"beside,omitempty"`
	// Selector is the Service's own, while Fairway has put another in its place.
	Selector map[string]string `json:"selector,omitempty"`
}

// readMark returns nil for an anchor that Fairway has not written yet.
func readMark(anchor *unstructured.Unstructured) (*mark, error) {
	if anchor == nil {
		return nil, nil
	}
	text, ok := anchor.GetAnnotations()[trafficAnnotation]
	if !ok {
		return nil, nil
	}
	var m mark
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		return nil, fault.Errorf(fault.Invalid, "the annotation %s of %s %s cannot be read: %w", trafficAnnotation, anchor.GetKind(), anchor.GetName(), err).
			WithHint("somebody has changed it; without it Fairway adopts what runs anew")
	}
	return &m, nil
}

func (m mark) clone() mark {
	m.Weights, m.Away, m.Open, m.Selector = maps.Clone(m.Weights), slices.Clone(m.Away), maps.Clone(m.Open), maps.Clone(m.Selector)
	return m
}

func (m mark) text() string {
	b, err := json.Marshal(m)
	if err != nil {
		panic("kubernetes: a mark that is not JSON: " + err.Error()) // only plain values
	}
	return string(b)
}

// claim brings the lease's fence onto the anchor, together with what change makes of the
// mark and, where it returns one, of the anchor. What would stay as it is, is not written.
// Where the anchor is the Service, the pods follow.
func (p *Platform) claim(ctx context.Context, w *world, lease platform.Lease, t platform.Target, change func(m *mark) (*unstructured.Unstructured, error)) error {
	if err := fenceFirst(w, lease, t, nil); err != nil {
		return err
	}
	was, m := w.mark, w.adopt(p)
	m.Fence, m.Holder = lease.Fence, lease.Holder
	anchor := w.anchor
	if change != nil {
		changed, err := change(&m)
		if err != nil {
			return err
		}
		if changed != nil {
			anchor = changed
		}
	}
	if was != nil && anchor == w.anchor && was.text() == m.text() {
		return p.follow(ctx, w)
	}
	anchor = anchor.DeepCopy()
	annotations := anchor.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[trafficAnnotation] = m.text()
	anchor.SetAnnotations(annotations)
	written, err := p.client(p.anchorResource()).Update(ctx, anchor, metav1.UpdateOptions{FieldManager: fieldManager})
	if stale(err) {
		return err
	}
	if err != nil {
		return faultOf(err, fmt.Sprintf("write %s %s", anchor.GetKind(), anchor.GetName()))
	}
	p.anchors().wrote(written)
	w.anchor, w.mark, w.claimed = written, &m, true
	if w.split, err = p.splitOf(w); err != nil {
		return err
	}
	return p.follow(ctx, w)
}

// fenceFirst refuses an older fence before anything else is refused.
func fenceFirst(w *world, lease platform.Lease, t platform.Target, err error) error {
	if w.mark != nil && (lease.Fence < w.mark.Fence || lease.Fence == w.mark.Fence && lease.Holder != w.mark.Holder) {
		return platform.Fenced(t, lease.Fence, w.mark.Fence)
	}
	return err
}

// confirm reads the anchor once more past the mirror, before something else than it is
// written on the word of a claim that had nothing to write: the watch may not have told yet
// that a newer lease has been here.
func (p *Platform) confirm(ctx context.Context, w *world) error {
	anchors, err := p.anchors().list(ctx, true)
	if err != nil {
		return faultOf(err, "read "+p.anchorText())
	}
	if len(anchors) == 0 {
		return errStale
	}
	now, err := readMark(anchors[0])
	if err != nil {
		return err
	}
	if now == nil || now.text() != w.mark.text() {
		return errStale
	}
	return nil
}

// sure is confirm before the first write after a claim, for which a claim that was written
// is enough.
func (p *Platform) sure(ctx context.Context, w *world) error {
	if w.claimed {
		return nil
	}
	return p.confirm(ctx, w)
}

// adopt is the mark to go on from: the one that is there, or what a target looks like
// that Fairway sees for the first time.
func (w *world) adopt(p *Platform) mark {
	if w.mark != nil {
		return w.mark.clone()
	}
	m := mark{Weights: platform.Weights{}, Original: w.split.original()}
	if w.home != nil {
		m.Home = w.homeRevision.ID
		m.Weights[m.Home] = platform.Whole
	}
	return m
}
