package worker

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/fairwayhq/fairway/internal/stage"
)

const (
	// sign is how often the worker gives a sign of life of a task about which there is
	// nothing else to report.
	sign = time.Second
	// gather is how long a sign that was asked for waits for others; much less than leadLeast.
	gather = 40 * time.Millisecond
	// leadLeast and leadMost bound how long before a tick a sign of life is given; in between
	// it is as long as answers take.
	leadLeast = 250 * time.Millisecond
	leadMost  = 2 * time.Second
	// leadMargin is what a busy machine may add.
	leadMargin = 150 * time.Millisecond
)

// signs gives signs of life of all tasks that are ticked, also during a long tick and in the
// pause between two. What comes due while the server answers is one request.
type signs struct {
	w    *Worker
	wake chan struct{}

	mu sync.Mutex
	// of are the tasks, and since when they wait for a sign of life; zero for those that do not.
	of map[*carrying]time.Time
}

func newSigns(w *Worker) *signs {
	return &signs{w: w, wake: make(chan struct{}, 1), of: map[*carrying]time.Time{}}
}

// begin lets signs be given of the task until end is called.
func (s *signs) begin(c *carrying) (end func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.of[c] = time.Time{}
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.of, c)
	}
}

// ask lets a sign be given of the task now.
func (s *signs) ask(c *carrying) {
	s.mu.Lock()
	if since, ok := s.of[c]; ok && since.IsZero() {
		s.of[c] = time.Now()
	}
	s.mu.Unlock()
	wake(s.wake)
}

// run gives them until ctx ends.
func (s *signs) run(ctx context.Context) {
	ticker := time.NewTicker(sign)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
			pause(ctx, gather)
		case now := <-ticker.C:
			s.askAll(now)
		}
		for some := range slices.Chunk(s.due(), stage.MostSigns) {
			if !s.give(ctx, some) {
				break // those that are left are due again in a second
			}
		}
	}
}

// askAll asks for signs of all tasks that have had no answer lately.
func (s *signs) askAll(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c, since := range s.of {
		if since.IsZero() && c.silent() {
			s.of[c] = now
		}
	}
}

// due takes the tasks that wait for a sign, with since when they do.
func (s *signs) due() []waiting {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []waiting
	for c, since := range maps.All(s.of) {
		if !since.IsZero() {
			all = append(all, waiting{c, since})
			s.of[c] = time.Time{}
		}
	}
	return all
}

// waiting is a task that waits for a sign of life.
type waiting struct {
	c     *carrying
	since time.Time
}

// give gives signs of some tasks in one request; false where no answer came.
func (s *signs) give(ctx context.Context, some []waiting) bool {
	all := stage.Signs{Worker: s.w.c.Name, Tasks: make([]stage.Sign, len(some))}
	for i, one := range some {
		all.Tasks[i] = stage.Sign{Task: one.c.task.ID, Fence: one.c.task.Fence}
	}
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, 2*answerWait)
	defer cancel()
	replies, err := s.w.c.Server.Signs(ctx, all)
	if err != nil || len(replies) != len(some) {
		return false
	}
	for i, one := range some {
		one.c.signed(replies[i], began, time.Since(one.since))
	}
	return true
}

// signed takes in the answer to a sign of life that was given then; took is how long the
// task has waited for it.
func (c *carrying) signed(reply stage.Reply, given time.Time, took time.Duration) {
	c.mu.Lock()
	c.took = (3*c.took + took) / 4
	c.mu.Unlock()
	c.answered(reply, given, false)
}

// silent tells that the server has said nothing of the task lately.
func (c *carrying) silent() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lost || time.Since(c.heard) >= sign/2
}

// lead is how long before a tick a sign of life is given, so that its answer is there when
// the tick begins. A cut that came later than that is not noticed by the tick. The caller
// holds the lock.
func (c *carrying) lead() time.Duration { return min(max(3*c.took, leadLeast), leadMost) }
