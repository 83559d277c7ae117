package auth

import (
	"sync"
	"time"
)

// After freeFailures in a row each further attempt of a name has to wait, twice
// as long each time, until nothing failed for as long as the longest wait.
const (
	freeFailures = 5
	firstWait    = 2 * time.Second
	longestWait  = 15 * time.Minute
	// maxNames bounds the memory that made-up names can take.
	maxNames = 10_000
)

// attempts limits failing logins per name. It lives in memory: a restart forgives.
type attempts struct {
	mu    sync.Mutex
	names map[string]*failures
}

type failures struct {
	count int
	last  time.Time
}

func newAttempts() *attempts { return &attempts{names: make(map[string]*failures)} }

// begin returns how long the name has to wait, or counts the attempt as failed
// until it succeeds, so that guesses made at the same moment count too.
func (a *attempts) begin(name string, now time.Time) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	f := a.names[name]
	if f == nil || now.Sub(f.last) >= longestWait {
		a.makeRoom(now)
		f = &failures{}
		a.names[name] = f
	}
	if wait := f.last.Add(f.wait()).Sub(now); f.count > 0 && wait > 0 {
		return wait
	}
	f.count++
	f.last = now
	return 0
}

func (f *failures) wait() time.Duration {
	over := f.count - freeFailures
	if over < 0 {
		return 0
	}
	if over > 10 {
		return longestWait
	}
	return min(firstWait<<over, longestWait)
}

func (a *attempts) succeeded(name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.names, name)
}

// makeRoom forgets the names that have waited, and where that is not enough any.
func (a *attempts) makeRoom(now time.Time) {
	if len(a.names) < maxNames {
		return
	}
	for name, f := range a.names {
		if now.Sub(f.last) >= f.wait() {
			delete(a.names, name)
		}
	}
	for name := range a.names {
		if len(a.names) < maxNames {
			return
		}
		delete(a.names, name)
	}
}
