package router

import (
	"context"
	"sync"
	"time"
)

// watch is what the sweep sees of a connection: where its exchange stands and
// since when. It is how an exchange is ended from outside, so that no deadline
// has to be set on the way.
type watch struct {
	mu    sync.Mutex
	phase phase
	since time.Time
	up    *upstream       // the backend's connection, while an exchange is under way
	limit time.Duration   // how long the phase waiting may last
	cut   context.Context // ends when the backend was taken away
	ended ending
}

type phase uint8

const (
	phaseIdle      phase = iota
	phaseReading         // the client sends a head
	phaseUploading       // the client sends a body
	phaseSending         // the backend takes some of it
	phaseWaiting         // the backend has the request
	phaseAnswering
	phaseTunnel
)

// ending says why the sweep ended an exchange.
type ending uint8

const (
	endedNot ending = iota
	endedAborted
	endedTimeout
	endedCut
)

func (w *watch) enter(p phase, at time.Time) {
	w.mu.Lock()
	w.phase, w.since = p, at
	w.mu.Unlock()
}

// move goes from one phase to another, if it is still in the first.
func (w *watch) move(from, to phase, at time.Time) {
	w.mu.Lock()
	if w.phase == from {
		w.phase, w.since = to, at
	}
	w.mu.Unlock()
}

// attach begins an exchange over up.
func (w *watch) attach(p phase, at time.Time, up *upstream, x *exchange) {
	w.mu.Lock()
	w.phase, w.since, w.up, w.ended = p, at, up, endedNot
	w.limit, w.cut = x.route.timeout, x.backend.cut
	w.mu.Unlock()
}

// detach ends the exchange and says whether, and why, it had been ended before.
func (w *watch) detach() ending {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.up = nil
	return w.ended
}

// end breaks the exchange off by closing the backend's connection under it.
func (w *watch) end(why ending) {
	w.mu.Lock()
	w.endLocked(why)
	w.mu.Unlock()
}

func (w *watch) endLocked(why ending) {
	if w.up != nil && w.ended == endedNot {
		w.ended = why
		w.up.Close()
	}
}

// why says why the exchange was ended; it stays after detach.
func (w *watch) why() ending {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ended
}
