package inquiry

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"sync"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
)

// Board is where servers that share a store pin inquiries for each other's workers. What
// is on it may be lost with the store's memory: who asks then asks again.
type Board interface {
	PinInquiry(ctx context.Context, p Pinned) error
	// OpenInquiries returns those without an answer that nobody has leased at the
	// instant, oldest first.
	OpenInquiries(ctx context.Context, now time.Time) ([]Pinned, error)
	// LeaseInquiry tells whether the inquiry is now the caller's until the instant.
	LeaseInquiry(ctx context.Context, id string, now, until time.Time) (bool, error)
	// AnswerInquiry keeps the first answer; of an inquiry that is gone it keeps none.
	AnswerInquiry(ctx context.Context, id string, answer []byte) error
	// LoadInquiry returns the inquiry as it stands, or fault.NotFound.
	LoadInquiry(ctx context.Context, id string) (Pinned, error)
	UnpinInquiry(ctx context.Context, id string) error
	// NoteListener keeps when a worker was last seen waiting for inquiries; Listeners
	// returns those seen since the instant.
	NoteListener(ctx context.Context, wish []byte, worker string, seen time.Time) error
	Listeners(ctx context.Context, since time.Time) ([][]byte, error)
}

// Pinned is an inquiry on a board.
type Pinned struct {
	ID       string
	Question []byte // the Inquiry as JSON
	Answer   []byte // the Answer as JSON; nil where there is none yet
	At       time.Time
	// Leased is until when a worker has it for itself; zero before the first.
	Leased time.Time
}

// SharedDesk is a Desk for servers that share a board: a worker may listen at one and
// the question be asked at another. It is safe for concurrent use.
type SharedDesk struct {
	board Board
	now   func() time.Time
	since time.Time

	mu      sync.Mutex
	changed chan struct{} // closed, and replaced, when there may be something new to see
}

// NewSharedDesk returns a desk on the board. now is the clock of all servers.
func NewSharedDesk(board Board, now func() time.Time) *SharedDesk {
	return &SharedDesk{board: board, now: now, since: now(), changed: make(chan struct{})}
}

const (
	// look is how often the board is looked at, where nobody says that it changed.
	look = 500 * time.Millisecond
	// leastLook is the least time between two looks.
	leastLook = 50 * time.Millisecond
	// listening is how long after its last sign a worker counts as one that listens.
	listening = mostWait + patience
)

// Heard tells that something on the board may have changed.
func (d *SharedDesk) Heard() {
	d.mu.Lock()
	defer d.mu.Unlock()
	close(d.changed)
	d.changed = make(chan struct{})
}

// wait waits for a change, for the next look, or for the end of ctx.
func (d *SharedDesk) wait(ctx context.Context) {
	d.mu.Lock()
	changed := d.changed
	d.mu.Unlock()
	timer := time.NewTimer(look)
	defer timer.Stop()
	defer func() { // others commit all the time, and few commits are about inquiries
		select {
		case <-time.After(leastLook):
		case <-ctx.Done():
		}
	}()
	select {
	case <-changed:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// Ask puts an inquiry to the workers of its environment and waits for the answer, as
// Desk.Ask does.
func (d *SharedDesk) Ask(ctx context.Context, q Inquiry) (Answer, error) {
	q.ID = rand.Text()
	question, err := json.Marshal(q)
	if err != nil {
		return Answer{}, fault.Errorf(fault.Internal, "write an inquiry: %w", err)
	}
	asked := d.now()
	if err := d.board.PinInquiry(ctx, Pinned{ID: q.ID, Question: question, At: asked}); err != nil {
		return Answer{}, err
	}
	d.Heard()
	defer func() { _ = d.board.UnpinInquiry(context.WithoutCancel(ctx), q.ID) }()
	for heard := asked; ; d.wait(ctx) {
		if ctx.Err() != nil {
			return Answer{}, ctx.Err()
		}
		p, err := d.board.LoadInquiry(ctx, q.ID)
		switch {
		case fault.CodeOf(err) == fault.NotFound:
			return Answer{}, fault.Errorf(fault.Unavailable, "the inquiry was lost with the database's memory").WithHint("ask again")
		case err != nil:
			return Answer{}, err
		case p.Answer != nil:
			return readAnswer(p.Answer)
		}
		now := d.now()
		if now.Sub(asked) > limit {
			return Answer{}, unanswered(q)
		}
		if now.Sub(heard) < patience {
			continue
		}
		heard = now
		if ok, err := d.heardBy(ctx, p, q, now); err != nil || !ok {
			return Answer{}, orUnheard(err, q)
		}
	}
}

func readAnswer(text []byte) (a Answer, err error) {
	if err := json.Unmarshal(text, &a); err != nil {
		return a, fault.Errorf(fault.Internal, "read an answer: %w", err)
	}
	return a, blame(a)
}

func orUnheard(err error, q Inquiry) error {
	if err != nil {
		return err
	}
	return unheard(q)
}

// heardBy tells whether a worker has the inquiry, or one listens that could take it.
func (d *SharedDesk) heardBy(ctx context.Context, p Pinned, q Inquiry, now time.Time) (bool, error) {
	if now.Before(p.Leased) || now.Sub(d.since) < early {
		return true, nil
	}
	wishes, err := d.board.Listeners(ctx, now.Add(-listening))
	if err != nil {
		return false, err
	}
	for _, text := range wishes {
		var w Wish
		if json.Unmarshal(text, &w) == nil && w.takes(q) {
			return true, nil
		}
	}
	return false, nil
}

// Take gives the worker one inquiry of its environments that no other worker has; it
// waits a while for it, and gives none where none comes.
func (d *SharedDesk) Take(ctx context.Context, w Wish) ([]Inquiry, error) {
	if w.Worker == "" {
		return nil, fault.Errorf(fault.Invalid, "a worker needs a name")
	}
	wish, err := json.Marshal(w)
	if err != nil {
		return nil, fault.Errorf(fault.Internal, "write a wish: %w", err)
	}
	if err := d.board.NoteListener(ctx, wish, w.Worker, d.now()); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, min(max(w.Wait, 0), mostWait))
	defer cancel()
	for {
		taken, err := d.take(ctx, w)
		if ctx.Err() != nil {
			return nil, nil
		}
		if err != nil || taken != nil {
			return taken, err
		}
		d.wait(ctx)
	}
}

func (d *SharedDesk) take(ctx context.Context, w Wish) ([]Inquiry, error) {
	now := d.now()
	open, err := d.board.OpenInquiries(ctx, now)
	if err != nil {
		return nil, err
	}
	for _, p := range open {
		var q Inquiry
		if json.Unmarshal(p.Question, &q) != nil || !w.takes(q) {
			continue // a newer server's, perhaps
		}
		mine, err := d.board.LeaseInquiry(ctx, p.ID, now, now.Add(leaseFor))
		if err != nil || mine {
			return []Inquiry{q}, err
		}
	}
	return nil, nil
}

// Answer hands an answer to who waits for it. Nobody may wait any more: that is no error.
func (d *SharedDesk) Answer(ctx context.Context, a Answer) error {
	p, err := d.board.LoadInquiry(ctx, a.Inquiry)
	if fault.CodeOf(err) == fault.NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	var q Inquiry
	if err := json.Unmarshal(p.Question, &q); err != nil {
		return fault.Errorf(fault.Internal, "read an inquiry: %w", err)
	}
	if err := a.belongsTo(q); err != nil {
		return err
	}
	text, err := json.Marshal(a)
	if err != nil {
		return fault.Errorf(fault.Internal, "write an answer: %w", err)
	}
	if err := d.board.AnswerInquiry(ctx, a.Inquiry, text); err != nil {
		return err
	}
	d.Heard()
	return nil
}
