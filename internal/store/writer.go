package store

import (
	"context"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
)

// A group is committed when nobody waits any more, or at one of these bounds,
// which keep the first of a group from waiting long for the last.
const (
	maxGroup     = 256
	maxGroupTime = 20 * time.Millisecond
)

// writer owns the one connection that writes. Its goroutine opens a transaction
// when an update waits, gives each waiting update its turn in a savepoint of its
// own, commits once for all of them, and then tells them all.
type writer struct {
	conn  *connection
	tx    Tx
	queue chan *turn // unbuffered: the callers that wait are the queue
	quit  chan struct{}
	done  chan struct{}
}

// turn is one update: the writer grants it, the caller runs its function and
// finishes it, the writer answers after the commit.
type turn struct {
	granted  chan error // nil, or why the transaction could not be opened
	finished chan error // nil, or why the whole group is lost
	answer   chan error // nil once the group is on disk; has room for one, as a panicking caller does not wait
}

func startWriter(conn *connection, plans *planCache) *writer {
	w := &writer{
		conn:  conn,
		queue: make(chan *turn),
		quit:  make(chan struct{}),
		done:  make(chan struct{}),
	}
	w.tx = Tx{conn: conn, plans: plans, writable: true}
	go w.run()
	return w
}

func (w *writer) run() {
	defer close(w.done)
	for {
		select {
		case t := <-w.queue:
			w.group(t)
		case <-w.quit:
			return
		}
	}
}

func (w *writer) stop() error {
	close(w.quit)
	<-w.done
	return w.conn.close()
}

// group runs the first turn and those that wait behind it, and commits them together.
func (w *writer) group(first *turn) {
	if err := w.begin(); err != nil {
		first.granted <- err
		return
	}
	var group []*turn
	var lost error
	began := time.Now()
	for t := first; t != nil; t = w.next(len(group), began) {
		group = append(group, t)
		t.granted <- nil
		// Who waits behind a lost group is not of it, and stays in the queue.
		if lost = <-t.finished; lost != nil {
			break
		}
	}
	if lost == nil {
		lost = w.commit()
	}
	if lost != nil {
		_, _ = w.conn.exec("ROLLBACK")
	}
	for _, t := range group {
		t.answer <- lost
	}
}

// next returns the turn that waits longest, or nil when it is time to commit.
func (w *writer) next(size int, began time.Time) *turn {
	if size >= maxGroup || time.Since(began) >= maxGroupTime {
		return nil
	}
	select {
	case t := <-w.queue:
		return t
	default:
		return nil
	}
}

func (w *writer) begin() error {
	_, err := w.conn.exec("BEGIN IMMEDIATE")
	if err != nil {
		// A transaction that an earlier failure left open would block every later one.
		_, _ = w.conn.exec("ROLLBACK")
		_, err = w.conn.exec("BEGIN IMMEDIATE")
	}
	return translate(err)
}

func (w *writer) commit() error {
	_, err := w.conn.exec("COMMIT")
	return translate(err)
}

// update waits for its turn, runs f in it, and waits for the commit.
func (w *writer) update(ctx context.Context, f func(*Tx) error) error {
	t := &turn{granted: make(chan error), finished: make(chan error), answer: make(chan error, 1)}
	if err := ctx.Err(); err != nil {
		return cancelled(err)
	}
	select {
	case w.queue <- t:
	case <-ctx.Done():
		return cancelled(ctx.Err())
	case <-w.quit:
		return errClosed
	}
	if err := <-t.granted; err != nil {
		return err
	}
	failed := w.inTurn(ctx, t, f)
	// Also a refusal waits for the commit: it may rest on what an earlier update
	// of the group wrote, and that may yet be lost.
	if lost := <-t.answer; lost != nil {
		return lost
	}
	return failed
}

// inTurn runs f in a savepoint, and finishes the turn whatever f does: return,
// panic, or end its goroutine.
func (w *writer) inTurn(ctx context.Context, t *turn, f func(*Tx) error) (failed error) {
	var lost error
	kept := false
	tx := w.tx
	tx.ctx = context.WithoutCancel(ctx)
	defer func() {
		tx.over = true
		if !kept && lost == nil {
			if lost = w.undo(); lost != nil && tx.failed != nil {
				lost = tx.failed
			}
		}
		t.finished <- lost
	}()
	if _, err := w.conn.exec("SAVEPOINT update_"); err != nil {
		lost = translate(err)
		return lost
	}
	if failed = tx.outcome(f(&tx)); failed != nil {
		return failed
	}
	if _, err := w.conn.exec("RELEASE update_"); err != nil {
		failed = translate(err)
		return failed
	}
	kept = true
	return nil
}

// undo takes back what the turn wrote. Where SQLite has already given up the
// whole transaction (a full disk, a failing one), there is no savepoint any more
// and the group is lost.
func (w *writer) undo() error {
	if _, err := w.conn.exec("ROLLBACK TO update_"); err != nil {
		return groupLost(err)
	}
	if _, err := w.conn.exec("RELEASE update_"); err != nil {
		return groupLost(err)
	}
	return nil
}

func groupLost(err error) error {
	return fault.Errorf(fault.Unavailable, "the database gave up the transaction: %w", err).
		WithHint("look after the disk that holds the database, and try again")
}

func cancelled(err error) error {
	return fault.Errorf(fault.Unavailable, "the database was not asked, since the caller gave up: %w", err)
}
