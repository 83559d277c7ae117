package store

import (
	"context"
	"errors"
)

// maxReaders bounds the snapshots open at once; more views wait.
const maxReaders = 4

// readers is the pool of read-only connections. A place in it is nil until its
// connection is first needed.
type readers struct {
	file  string
	plans *planCache
	free  chan *connection
	quit  chan struct{}
}

func newReaders(file string, plans *planCache) *readers {
	r := &readers{file: file, plans: plans, free: make(chan *connection, maxReaders), quit: make(chan struct{})}
	for range maxReaders {
		r.free <- nil
	}
	return r
}

func (r *readers) view(ctx context.Context, f func(*Tx) error) (err error) {
	conn, err := r.take(ctx)
	if err != nil {
		return err
	}
	tx := Tx{conn: conn, plans: r.plans, ctx: ctx}
	defer func() {
		tx.over = true
		r.giveBack(conn)
	}()
	if _, err := conn.exec("BEGIN"); err != nil {
		return translate(err)
	}
	return tx.outcome(f(&tx))
}

func (r *readers) take(ctx context.Context) (*connection, error) {
	if err := ctx.Err(); err != nil {
		return nil, cancelled(err)
	}
	select {
	case <-r.quit:
		return nil, errClosed
	default:
	}
	select {
	case conn := <-r.free:
		if conn != nil {
			return conn, nil
		}
		conn, err := connect(ctx, r.file, forReading)
		if err != nil {
			r.free <- nil
			return nil, translate(err)
		}
		return conn, nil
	case <-ctx.Done():
		return nil, cancelled(ctx.Err())
	case <-r.quit:
		return nil, errClosed
	}
}

// giveBack ends the snapshot. A connection that cannot even do that is replaced.
func (r *readers) giveBack(conn *connection) {
	if _, err := conn.exec("COMMIT"); err != nil {
		_ = conn.close()
		conn = nil
	}
	r.free <- conn
}

// stop waits for the views in progress.
func (r *readers) stop() error {
	close(r.quit)
	var errs []error
	for range maxReaders {
		if conn := <-r.free; conn != nil {
			errs = append(errs, conn.close())
		}
	}
	return errors.Join(errs...)
}
