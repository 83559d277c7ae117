package kubernetes

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/platform"
)

// everyPod opens all pods of a side, also those that come later.
const everyPod = -1

// nobody is the revision that no pod is of: a Service that selects it leads nowhere.
const nobody = "none"

// selection splits the traffic by which pods the one Service selects. Each connection goes
// to one of them at random, so a side with k open pods beside n of the home's has k of
// n+k of the connections, whatever the Service's clients do on them.
//
// A side's pods do not carry the labels of the home's. An open one does: it is given them
// while it runs, and they are taken away again. While a side has everything, the Service
// selects that side's own labels, so that pods which come later have their share at once,
// whether a worker runs or not.
type selection struct {
	service *unstructured.Unstructured
	home    string            // the home's Deployment
	present map[string]string // the Service's selector
	own     map[string]string // the one that is the user's
	mark    *mark
	world   *world
	pods    int // of the home, as the weights are reckoned
	side    func(revision string) string
}

func (p *Platform) selectionOf(w *world) (selection, error) {
	present, _, err := unstructured.NestedStringMap(w.anchor.Object, "spec", "selector")
	if err != nil || len(present) == 0 {
		return selection{}, fault.Errorf(fault.Invalid, "the Service %s selects no pods, so the traffic cannot be split by them", p.settings.Service).
			WithHint("give it a selector, or split by a route: kubernetes: {split: route}")
	}
	s := selection{service: w.anchor, home: p.settings.Deployment, present: present, own: present, mark: w.mark, world: w, side: p.sideName}
	if w.home != nil {
		s.pods = int(replicas(w.home))
		if w.mark != nil && w.mark.Beside > 0 && len(w.sides) > 0 { // with more pods a canary has less than its weight, never more
			s.pods = min(s.pods, w.mark.Beside)
		}
	}
	if _, ours := present[homeLabel]; !ours {
		return s, nil
	}
	switch {
	case w.mark != nil && len(w.mark.Selector) > 0:
		s.own = w.mark.Selector
	case w.home != nil && w.home.Spec.Selector != nil:
		s.own = w.home.Spec.Selector.MatchLabels // the mark is lost; this is what most Services select
	}
	return s, nil
}

// shares are those that were given last, while the Service selects what was written then;
// else what the selected pods come to.
func (s selection) shares() (map[string]int, bool) {
	if s.mark == nil {
		if _, ours := s.present[homeLabel]; ours { // somebody has taken the mark away
			return s.counted(), true
		}
		return map[string]int{s.serviceName(): platform.Whole}, true
	}
	given := map[string]int{}
	for id, ppm := range s.mark.Weights {
		side := s.side(id)
		switch _, there := s.world.side(id); {
		case s.mark.Open[side] == 0:
			given[s.serviceName()] += ppm
		case !there && ppm < platform.Whole: // somebody has deleted it
			return s.counted(), true
		default:
			given[side] += ppm
		}
	}
	if maps.Equal(s.present, s.selector(given)) {
		return given, true
	}
	return s.counted(), true
}

func (s selection) serviceName() string { return s.service.GetName() }

// selector is what the Service must select for the shares: all that carry the home's
// labels; or of them, while the home has nothing, what stands beside it.
func (s selection) selector(shares map[string]int) map[string]string {
	switch {
	case len(shares) == 0:
		return map[string]string{homeLabel: s.home, revisionLabel: nobody}
	case shares[s.serviceName()] > 0:
		return s.own
	case len(shares) == 1:
		return map[string]string{homeLabel: s.home, revisionLabel: s.revisionOf(slices.Collect(maps.Keys(shares))[0])}
	}
	beside := maps.Clone(s.own)
	beside[homeLabel] = s.home
	return beside
}

// revisionOf is the revision on a side. One that has everything is known by the mark, also when
// somebody has deleted its side: the Service selects it still.
func (s selection) revisionOf(side string) string {
	for _, one := range s.world.sides {
		if s.side(one.revision.ID) == side {
			return one.revision.ID
		}
	}
	if s.mark != nil {
		for id, ppm := range s.mark.Weights {
			if ppm == platform.Whole && s.side(id) == side {
				return id
			}
		}
	}
	return nobody
}

// counted are the shares that the selected pods come to.
func (s selection) counted() map[string]int {
	counts := map[string]any{}
	var refs []any
	for _, pod := range s.world.pods {
		if !labels.SelectorFromSet(s.present).Matches(labels.Set(pod.Labels)) {
			continue
		}
		name := s.serviceName()
		if pod.Labels[homeLabel] == s.home {
			name = s.side(pod.Labels[revisionLabel])
		}
		n, _ := counts[name].(int64)
		counts[name] = n + 1
	}
	for name, n := range counts {
		refs = append(refs, map[string]any{"name": name, "weight": n})
	}
	return shareOut(refs)
}

// open is how many pods of each side the shares need: as many as make them true beside
// the home's pods or, while it has nothing, beside all those of the largest side.
func (s selection) open(shares map[string]int) map[string]int {
	open, base, beside := map[string]int{}, s.serviceName(), s.pods
	if shares[base] == 0 {
		for _, side := range s.world.sides {
			if name := s.side(side.revision.ID); shares[name] > shares[base] {
				base, beside = name, int(replicas(side.deployment))
			}
		}
		if base != s.serviceName() {
			open[base] = everyPod
		}
	}
	for name, ppm := range shares {
		if name != base && ppm > 0 {
			open[name] = max(1, int(math.Round(float64(ppm)/float64(shares[base])*float64(beside))))
		}
	}
	return open
}

// nearly is how far a weight may be from one that the pods can give, in parts per million:
// it was told with few digits, perhaps.
const nearly = 1000

// possible refuses shares that no number of pods gives, and says which there are.
func (s selection) possible(shares map[string]int, ready func(string) int) error {
	open := s.open(shares)
	beside, sum := s.pods, 0
	for name, k := range open {
		if k == everyPod {
			beside = s.podsOf(name)
			continue
		}
		sum += k
	}
	for name, k := range open {
		if k == everyPod {
			continue
		}
		can, got := ready(name), part(k, beside+sum-k)
		if can < k || got-shares[name] > nearly || shares[name]-got > nearly {
			return fault.Errorf(fault.Conflict, "%s of the traffic for %s is not possible: it is split by pods, and %d of its pods are ready beside %d others", ppmText(shares[name]), name, can, beside+sum-k).
				WithHint("possible are %s and everything", weightsText(partsBeside(beside+sum-k, can)))
		}
	}
	return nil
}

func (s selection) podsOf(side string) int {
	for _, one := range s.world.sides {
		if s.side(one.revision.ID) == side {
			return int(replicas(one.deployment))
		}
	}
	return 0
}

// part is what k pods have beside others, in parts per million.
func part(k, others int) int {
	return int(math.Round(float64(k) / float64(k+others) * platform.Whole))
}

// partsBeside are the weights of one to most pods beside others.
func partsBeside(others, most int) []int {
	var all []int
	for k := 1; k <= most && others > 0; k++ {
		all = append(all, part(k, others))
	}
	return all
}

func ppmText(ppm int) string { return fmt.Sprintf("%.3g %%", float64(ppm)/platform.Whole*100) }

func weightsText(all []int) string {
	const most = 8
	var text []string
	for _, ppm := range all[:min(len(all), most)] {
		text = append(text, ppmText(ppm))
	}
	if len(all) > most {
		text = append(text, "… up to "+ppmText(all[len(all)-1]))
	}
	return strings.Join(text, ", ")
}

// begin notes how many pods the home has when the first side comes.
func (s selection) begin(m *mark) {
	if len(s.world.sides) == 0 {
		m.Beside = s.pods
	}
}

// give changes the Service's selector where it must be another, and notes how many pods
// are to be open.
func (s selection) give(m *mark, _ []string, shares map[string]int) *unstructured.Unstructured {
	m.Open, m.Selector = s.open(shares), nil
	want := s.selector(shares)
	if _, ours := want[homeLabel]; ours {
		m.Selector = s.own
	}
	if maps.Equal(want, s.present) {
		return nil
	}
	service := s.service.DeepCopy()
	_ = unstructured.SetNestedStringMap(service.Object, want, "spec", "selector")
	return service
}

// without: a side that goes has no pods open, and the Service does not name it.
func (s selection) without(m *mark, gone string, _ []string) *unstructured.Unstructured {
	delete(m.Open, gone)
	return nil
}

// left lets the Service select again what it did.
func (s selection) left(m *mark) *unstructured.Unstructured {
	m.Open, m.Selector = nil, nil
	if maps.Equal(s.own, s.present) {
		return nil
	}
	service := s.service.DeepCopy()
	_ = unstructured.SetNestedStringMap(service.Object, s.own, "spec", "selector")
	return service
}

func (s selection) original() []*int64 { return nil }

func (s selection) disagreement() string { return "it selects other pods" }

func (s selection) field() string { return "f:selector" }

// admissible refuses a Service that leads to pods of others too: their part of the traffic
// is nobody's weight.
func (s selection) admissible([]string) error {
	for _, pod := range s.world.pods {
		if !labels.SelectorFromSet(s.present).Matches(labels.Set(pod.Labels)) || pod.Labels[homeLabel] == s.home {
			continue
		}
		if owner := s.stranger(pod); owner != "" {
			return fault.Errorf(fault.Invalid, "the Service %s leads to pods of the %s beside those of the Deployment %s", s.serviceName(), owner, s.home).
				WithHint("make its selector narrower, so that it leads to the pods of %s alone", s.home)
		}
	}
	return nil
}

// stranger names what has made a pod that is not the home's; empty if it is, or if that
// is not known yet.
func (s selection) stranger(pod *corev1.Pod) string {
	for _, o := range pod.OwnerReferences {
		if o.Controller == nil || !*o.Controller {
			continue
		}
		if o.Kind != "ReplicaSet" {
			return o.Kind + " " + o.Name
		}
		for _, rs := range s.world.replicaSets {
			if rs.UID == o.UID && (s.world.home == nil || ownerOf(rs.OwnerReferences) != string(s.world.home.UID)) {
				return o.Kind + " " + o.Name
			}
		}
		return ""
	}
	return "" // a pod of nobody's may be one that a person looks into
}

// byName orders pods.
func byName(a, b *corev1.Pod) int { return cmp.Compare(a.Name, b.Name) }
