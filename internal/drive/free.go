package drive

import (
	"slices"
	"sync"
)

// Place is where tasks are carried out: an environment and, where it has them, a region.
type Place struct {
	Environment, Region string
	// Urgent says that what became free there cannot wait for a worker that has a place.
	Urgent bool `json:",omitempty"`
}

// Anywhere stands for every place.
var Anywhere = Place{Environment: "*"}

func (p Place) within(environments, regions []string) bool {
	return (len(environments) == 0 || slices.Contains(environments, p.Environment)) &&
		(len(regions) == 0 || slices.Contains(regions, p.Region))
}

// wishes are the workers that wait for tasks. Of hundreds, only those are woken that may
// have what became free: a look costs more than most commits.
type wishes struct {
	mu  sync.Mutex
	all map[chan struct{}]LeaseAsk
}

// wait returns a channel that gets a signal when tasks have become free that the worker may
// have, and a function that ends the waiting.
func (w *wishes) wait(ask LeaseAsk) (freed <-chan struct{}, stop func()) {
	ch := make(chan struct{}, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.all == nil {
		w.all = map[chan struct{}]LeaseAsk{}
	}
	w.all[ch] = ask
	return ch, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.all, ch)
	}
}

// tell wakes who may have tasks of the places.
func (w *wishes) tell(free []Place) {
	if len(free) == 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for ch, ask := range w.all {
		if !slices.ContainsFunc(free, func(p Place) bool {
			return p == Anywhere || p.within(ask.Environments, ask.Regions) && (p.Urgent || !ask.Full)
		}) {
			continue
		}
		select {
		case ch <- struct{}{}:
		default:
		}
	}
}
