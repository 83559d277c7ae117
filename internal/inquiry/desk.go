package inquiry

import (
	"context"
	"crypto/rand"
	"slices"
	"sync"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
)

const (
	// limit is how long somebody waits for an answer.
	limit = 50 * time.Second
	// patience is how long an environment may be without a worker before that is said. It
	// is longer than a worker takes between two wishes.
	patience = 3 * time.Second
	// early is how long after its own start a server does not say that a worker is missing:
	// those that it had are on their way back.
	early = 6 * time.Second
	// leaseFor is how long a worker has an inquiry for itself. It is longer than the worker
	// itself takes at most.
	leaseFor = respondWithin + 2*time.Second
	// mostWait is how long a wish waits at most.
	mostWait = 30 * time.Second
)

// Desk keeps the inquiries that are open, in memory, and knows which workers listen. It
// is safe for concurrent use.
type Desk struct {
	since   time.Time
	mu      sync.Mutex
	open    []*open // oldest first
	workers map[string]*listener
	// changed is closed, and replaced, when there is something new to see.
	changed chan struct{}
}

// open is an inquiry that somebody waits for.
type open struct {
	Inquiry
	answer chan Answer // has room for one
	// leased is until when a worker has it for itself; zero before the first.
	leased time.Time
}

// listener is a worker that takes inquiries.
type listener struct {
	wish Wish
	// waiting is how many of its wishes wait now; left is when the last one ended.
	waiting int
	left    time.Time
}

// takes tells whether the inquiry is one of those that are wished for.
func (w Wish) takes(q Inquiry) bool {
	return (len(w.Environments) == 0 || slices.Contains(w.Environments, q.Target.Environment)) &&
		(len(w.Regions) == 0 || slices.Contains(w.Regions, q.Target.Region))
}

// NewDesk returns a desk without inquiries.
func NewDesk() *Desk {
	return &Desk{since: time.Now(), workers: map[string]*listener{}, changed: make(chan struct{})}
}

// Ask puts an inquiry to the workers of its environment and waits for the answer. Where
// none of them listens it says so after a few seconds (fault.Unavailable).
func (d *Desk) Ask(ctx context.Context, q Inquiry) (Answer, error) {
	mine := d.put(q)
	defer d.remove(mine)
	end := time.NewTimer(limit)
	defer end.Stop()
	look := time.NewTicker(patience)
	defer look.Stop()
	for {
		select {
		case a := <-mine.answer:
			return a, blame(a)
		case <-ctx.Done():
			return Answer{}, ctx.Err()
		case <-end.C:
			return Answer{}, unanswered(q)
		case <-look.C:
			if !d.heard(mine) {
				return Answer{}, unheard(q)
			}
		}
	}
}

func unanswered(q Inquiry) error {
	return fault.Errorf(fault.Unavailable, "no worker of %s has answered within %s", q.Target.Environment, limit).
		WithHint("its log says what it is at; ask again")
}

func unheard(q Inquiry) error {
	return fault.Errorf(fault.Unavailable, "no worker of %s is connected, and only a worker reaches what runs there", q.Target.Environment).
		WithHint("start one where it reaches the platform: fairway worker --environment %s", q.Target.Environment)
}

// blame says whose trouble it was. What a worker is denied is not denied to who asks.
func blame(a Answer) error {
	if a.Trouble == nil {
		return nil
	}
	code := a.Trouble.Code
	switch code {
	case fault.Denied:
		code = fault.Conflict
	case fault.Internal:
		code = fault.Unavailable
	}
	return fault.Errorf(code, "the worker %s of %s: %w", a.Worker, a.Environment, a.Trouble.Err()).WithHint("%s", a.Trouble.Hint)
}

func (d *Desk) put(q Inquiry) *open {
	q.ID = rand.Text()
	mine := &open{Inquiry: q, answer: make(chan Answer, 1)}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.open = append(d.open, mine)
	d.tell()
	return mine
}

func (d *Desk) remove(mine *open) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.open = slices.DeleteFunc(d.open, func(o *open) bool { return o == mine })
}

// tell wakes all who wait. The caller holds the lock.
func (d *Desk) tell() {
	close(d.changed)
	d.changed = make(chan struct{})
}

// heard tells whether a worker has the inquiry, or one listens that could take it.
func (d *Desk) heard(o *open) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	if now.Before(o.leased) || now.Sub(d.since) < early {
		return true
	}
	for name, l := range d.workers {
		gone := l.waiting == 0 && now.Sub(l.left) > patience
		switch {
		case !gone && l.wish.takes(o.Inquiry):
			return true
		case gone && now.Sub(l.left) > time.Hour:
			delete(d.workers, name)
		}
	}
	return false
}

// Take gives the worker one inquiry of its environments that no other worker has; it waits
// a while for it, and gives none where none comes.
func (d *Desk) Take(ctx context.Context, w Wish) ([]Inquiry, error) {
	if w.Worker == "" {
		return nil, fault.Errorf(fault.Invalid, "a worker needs a name")
	}
	defer d.listen(w)()
	end := time.NewTimer(min(max(w.Wait, 0), mostWait))
	defer end.Stop()
	for {
		taken, changed, again := d.take(w)
		if taken != nil {
			return []Inquiry{taken.Inquiry}, nil
		}
		// A lease that runs out tells nobody.
		look := time.NewTimer(again)
		select {
		case <-changed:
		case <-look.C:
		case <-end.C:
			look.Stop()
			return nil, nil
		case <-ctx.Done():
			look.Stop()
			return nil, nil
		}
		look.Stop()
	}
}

// listen notes that a worker listens, until the returned function is called.
func (d *Desk) listen(w Wish) (end func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	l := d.workers[w.Worker]
	if l == nil {
		l = &listener{}
		d.workers[w.Worker] = l
	}
	l.wish = w
	l.waiting++
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		l.waiting--
		l.left = time.Now()
	}
}

// take leases the oldest inquiry that the worker may have. Without one it tells what to
// wait for, and how long at most.
func (d *Desk) take(w Wish) (taken *open, changed <-chan struct{}, again time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now, again := time.Now(), mostWait
	for _, o := range d.open {
		if !w.takes(o.Inquiry) {
			continue
		}
		if left := o.leased.Sub(now); left > 0 {
			again = min(again, left)
			continue
		}
		o.leased = now.Add(leaseFor)
		return o, nil, 0
	}
	return nil, d.changed, again
}

// Answer hands an answer to who waits for it. Nobody may wait any more: that is no error.
func (d *Desk) Answer(_ context.Context, a Answer) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, o := range d.open {
		if o.ID != a.Inquiry {
			continue
		}
		if err := a.belongsTo(o.Inquiry); err != nil {
			return err
		}
		select {
		case o.answer <- a:
		default: // another worker was quicker
		}
		return nil
	}
	return nil
}

// belongsTo refuses an answer about another environment or region than the inquiry's.
func (a Answer) belongsTo(q Inquiry) error {
	if q.Target.Environment == a.Environment && (a.Region == "" || q.Target.Region == a.Region) {
		return nil
	}
	return fault.Errorf(fault.Conflict, "the inquiry is about %s, the answer about %s", where(q.Target.Environment, q.Target.Region), where(a.Environment, a.Region)).
		WithHint("a worker answers what it was asked")
}

func where(environment, region string) string {
	if region == "" {
		return environment
	}
	return environment + "/" + region
}
