package main

import (
	"context"
	"sync"
	"time"

	"github.com/fairwayhq/fairway/internal/router"
)

// watch looks at a target in its router's own table, some thirty times a second.
type watch struct {
	router *router.Client
	target string
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu sync.Mutex
	// old is the home before the release that is watched now.
	old   string
	looks []look
	now   router.Route
}

// look is what was seen at an instant.
type look struct {
	at time.Time
	// fresh is the share of traffic, in parts per million, that the new revision has.
	fresh int
	// kept tells that the old revision is still in the table.
	kept bool
	// holder is who wrote the table last, and fence with what.
	holder string
	fence  int64
}

const lookEvery = 30 * time.Millisecond

func newWatch(routerDir, target string) *watch {
	ctx, cancel := context.WithCancel(context.Background())
	w := &watch{router: router.NewClient(routerDir), target: target, cancel: cancel}
	w.done.Go(func() {
		for sleep(ctx, lookEvery) {
			w.look(ctx)
		}
	})
	return w
}

func (w *watch) close() {
	w.cancel()
	w.done.Wait()
}

func (w *watch) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	route, err := w.router.Route(ctx, w.target)
	if err != nil {
		return // there is no router before the first release
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = route
	l := look{at: time.Now(), holder: route.Holder, fence: route.Fence}
	for _, arm := range route.Arms {
		if arm.Revision == w.old {
			l.kept = true
		} else {
			l.fresh += arm.Weight
		}
	}
	w.looks = append(w.looks, l)
}

// begin begins a new series of looks: who is at home now is old.
func (w *watch) begin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.old, w.looks = w.now.Home, nil
}

// last is the last look, and seen all since begin.
func (w *watch) last() look {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.looks) == 0 {
		return look{}
	}
	return w.looks[len(w.looks)-1]
}

func (w *watch) seen() []look {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]look(nil), w.looks...)
}

// forward tells that the new revision has got further: more traffic, or all of it for good.
func forward(a, b look) bool {
	return b.fresh > a.fresh || b.fresh == router.Whole && a.kept && !b.kept
}

// back is when the new revision first had traffic, and when it had none any more; zero where
// that did not happen.
func back(looks []look) (first, gone time.Time) {
	for _, l := range looks {
		switch {
		case first.IsZero() && l.fresh > 0:
			first = l.at
		case !first.IsZero() && l.fresh == 0:
			return first, l.at
		}
	}
	return first, time.Time{}
}
