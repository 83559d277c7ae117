package worker

import (
	"sync"

	"github.com/fairwayhq/fairway/internal/stage"
)

// How many stages a worker carries at the same time where nobody says otherwise, and how
// many of them may run a command.
const (
	DefaultParallel     = 1000
	DefaultParallelJobs = 16
	// MostParallel is what a wish for tasks can still name, with all that is in hand.
	MostParallel = 10_000
)

// places are what a worker has room for: stages, and among them those that run a command.
// What cannot wait is carried all the same where none is free.
type places struct {
	all, jobs int

	mu          sync.Mutex
	taken       int
	takenByJobs int
	// freed gets a signal when one has become free, filled when none is any more.
	freed, filled chan struct{}
}

func newPlaces(all, jobs int) *places {
	return &places{all: all, jobs: jobs, freed: make(chan struct{}, 1), filled: make(chan struct{}, 1)}
}

// free is how many there are, and how many of them may be jobs.
func (p *places) free() (all, jobs int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	all = max(p.all-p.taken, 0)
	return all, min(max(p.jobs-p.takenByJobs, 0), all)
}

// Free is how many more stages the worker has places for, and how many of them may run a command.
func (w *Worker) Free() (stages, jobs int) { return w.places.free() }

// place is where one task after the other is carried out.
type place struct {
	of  *places
	job bool
}

func (p *places) take() *place {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.taken++; p.taken >= p.all {
		wake(p.filled)
	}
	return &place{of: p}
}

// suits makes it a place for the task; false where that is one job too many.
func (p *place) suits(t stage.Task) bool {
	job := t.Stage.RunsCommand()
	p.of.mu.Lock()
	defer p.of.mu.Unlock()
	if job && !p.job && !t.Undo && p.of.takenByJobs >= p.of.jobs {
		return false
	}
	p.become(job)
	return true
}

// keeps makes it a place for what a former life of the worker has begun.
func (p *place) keeps(t stage.Task) {
	p.of.mu.Lock()
	defer p.of.mu.Unlock()
	p.become(t.Stage.RunsCommand())
}

// become notes whether a job has the place. The caller holds the lock.
func (p *place) become(job bool) {
	switch {
	case job && !p.job:
		p.of.takenByJobs++
	case !job && p.job:
		p.of.takenByJobs--
		wake(p.of.freed)
	}
	p.job = job
}

func (p *place) leave() {
	p.of.mu.Lock()
	defer p.of.mu.Unlock()
	p.become(false)
	p.of.taken--
	wake(p.of.freed)
}
