package router

import (
	"crypto/rand"
	"sync"
	"sync/atomic"
	"time"
)

// outcome is how a request ended, as far as it is counted.
type outcome int

const (
	outcomeOK outcome = iota
	outcomeStatus
	outcomeConnect
	outcomeTransport
	outcomeTimeout
	outcomeAborted
	outcomes
)

// recorder counts the requests of one backend. It is safe for concurrent use.
type recorder struct {
	ended    [outcomes]atomic.Int64
	inflight atomic.Int64
	latency  histogram
	// elsewhere is what another process has in flight on the backend, while it drains.
	elsewhere atomic.Int64
	// left is when the backend left the table, in Unix nanoseconds; 0 while it is in it.
	left atomic.Int64
}

// record counts a request that ended after d.
func (r *recorder) record(o outcome, d time.Duration) {
	r.ended[o].Add(1)
	if o != outcomeAborted {
		r.latency.observe(d)
	}
}

func (r *recorder) snapshot() Counts {
	c := Counts{
		Errors: Errors{
			Status:    r.ended[outcomeStatus].Load(),
			Connect:   r.ended[outcomeConnect].Load(),
			Transport: r.ended[outcomeTransport].Load(),
			Timeout:   r.ended[outcomeTimeout].Load(),
		},
		Aborted:  r.ended[outcomeAborted].Load(),
		Inflight: r.inflight.Load() + r.elsewhere.Load(),
		Latency:  r.latency.snapshot(),
	}
	c.Requests = r.ended[outcomeOK].Load() + c.Errors.Total()
	return c
}

// add takes over counts of another process; Inflight is left alone.
func (r *recorder) add(c Counts) {
	r.ended[outcomeOK].Add(c.Requests - c.Errors.Total())
	r.ended[outcomeStatus].Add(c.Errors.Status)
	r.ended[outcomeConnect].Add(c.Errors.Connect)
	r.ended[outcomeTransport].Add(c.Errors.Transport)
	r.ended[outcomeTimeout].Add(c.Errors.Timeout)
	r.ended[outcomeAborted].Add(c.Aborted)
	r.latency.add(c.Latency)
}

// instance names what one recorder counts.
type instance struct {
	target, revision, address string
	startedAt                 int64 // Unix nanoseconds; 0 if unknown
}

func instanceOf(target, revision string, b Backend) instance {
	i := instance{target: target, revision: revision, address: b.Address}
	if !b.StartedAt.IsZero() {
		i.startedAt = b.StartedAt.UnixNano()
	}
	return i
}

func (i instance) backend() Backend {
	b := Backend{Address: i.address}
	if i.startedAt != 0 {
		b.StartedAt = time.Unix(0, i.startedAt).UTC()
	}
	return b
}

// tally holds all recorders of the process.
type tally struct {
	mu        sync.Mutex
	epoch     string
	recorders map[instance]*recorder
	// past are the counts of instances that left long ago, by arm (an instance
	// without address).
	past     map[instance]Counts
	unrouted atomic.Int64
}

func newTally() *tally {
	return &tally{epoch: rand.Text(), recorders: map[instance]*recorder{}, past: map[instance]Counts{}}
}

// recorder returns the one for the instance.
func (t *tally) recorder(i instance) *recorder {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.recorderLocked(i)
}

func (t *tally) recorderLocked(i instance) *recorder {
	r := t.recorders[i]
	if r == nil {
		r = &recorder{}
		t.recorders[i] = r
	}
	return r
}

// leave notes which instances are no longer in the table.
func (t *tally) leave(present map[instance]bool, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, r := range t.recorders {
		if present[i] {
			r.left.Store(0)
		} else {
			r.left.CompareAndSwap(0, now.UnixNano())
		}
	}
}

// keep is how long an instance that left the table stays listed by itself.
const keep = time.Hour

// fold moves instances that left long ago into their arm's past, so that
// neither memory nor the page of counters grows with every restart of an instance.
func (t *tally) fold(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, r := range t.recorders {
		left := r.left.Load()
		c := r.snapshot()
		if left == 0 || c.Inflight > 0 || now.UnixNano()-left < int64(keep) {
			continue
		}
		arm := instance{target: i.target, revision: i.revision}
		t.past[arm] = t.past[arm].Add(c)
		delete(t.recorders, i)
	}
}
