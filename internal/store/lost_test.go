package store_test

import (
	"bytes"
	"context"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/store"
	"github.com/fairwayhq/fairway/test/postgres"
)

// wire is a way to the database that can be cut.
type wire struct {
	listener net.Listener
	to       string
	// deaf keeps what the database says from who asked.
	deaf atomic.Bool
	// deafAt is what makes it so, once it is said to the database.
	deafAt atomic.Pointer[string]
	mu     sync.Mutex
	open   []net.Conn
}

func newWire(t testing.TB, to string) *wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{listener: l, to: to}
	go w.accept()
	t.Cleanup(func() { _ = l.Close(); w.cut() })
	return w
}

func (w *wire) accept() {
	for {
		in, err := w.listener.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", w.to)
		if err != nil {
			_ = in.Close()
			continue
		}
		w.mu.Lock()
		w.open = append(w.open, in, out)
		w.mu.Unlock()
		go w.ask(out, in)
		go w.answer(in, out)
	}
}

func (w *wire) ask(out, in net.Conn) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := in.Read(buffer)
		if err != nil {
			return
		}
		if word := w.deafAt.Load(); word != nil && bytes.Contains(buffer[:n], []byte(*word)) {
			w.deaf.Store(true)
		}
		if _, err := out.Write(buffer[:n]); err != nil {
			return
		}
	}
}

func (w *wire) answer(in, out net.Conn) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := out.Read(buffer)
		if err != nil {
			_ = in.Close()
			return
		}
		if w.deaf.Load() {
			continue
		}
		if _, err := in.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// cut closes all connections.
func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.open {
		_ = c.Close()
	}
	w.open = nil
}

// through is the URL by way of the wire.
func (w *wire) through(t testing.TB, direct string) string {
	t.Helper()
	u, err := url.Parse(direct)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Replace(direct, u.Host, w.listener.Addr().String(), 1)
}

// wired is a store whose way to its database can be cut, and another way to the same. It has one
// connection, on which COMMIT is prepared already: that of a new one could not be sent while
// nothing is heard.
func wired(t *testing.T) (server *postgres.Server, direct string, w *wire, st *store.Postgres) {
	t.Helper()
	server = postgres.ForTest(t, "fsync=off")
	_, direct = database(t, server)
	u, err := url.Parse(direct)
	if err != nil {
		t.Fatal(err)
	}
	w = newWire(t, u.Host)
	return server, direct, w, openPostgres(t, w.through(t, direct)+"&pool_max_conns=1")
}

func TestACommitWhoseAnswerIsLostIsLookedUp(t *testing.T) {
	server, direct, w, st := wired(t)
	addReleaseOf(t, st, "r1", "shop")

	runs := 0
	err := st.Drive().Update(t.Context(), func(tx drive.Tx) error {
		runs++
		if _, err := tx.NextFence("shop/staging"); err != nil {
			return err
		}
		if runs == 1 {
			// From here on nothing is heard of the commit, and then the line is dead.
			w.deaf.Store(true)
			go func() {
				committed := func() bool { return fenceOf(t, server, direct) == 1 }
				waitFor(t, "the commit", committed)
				w.deaf.Store(false)
				w.cut()
			}()
		}
		return nil
	})
	if err != nil || runs != 1 {
		t.Errorf("the update returned %v after %d runs, want success after one", err, runs)
	}
	if fence := fenceOf(t, server, direct); fence != 1 {
		t.Errorf("the fence is %d, so the update was done %d times", fence, fence)
	}
}

func TestAnUpdateWhoseConnectionIsLostBeforeTheCommitRunsAgain(t *testing.T) {
	server, direct, w, st := wired(t)
	runs := 0
	err := st.Drive().Update(t.Context(), func(tx drive.Tx) error {
		runs++
		if _, err := tx.NextFence("shop/staging"); err != nil {
			return err
		}
		if runs == 1 {
			w.cut()
		}
		return nil
	})
	if err != nil || runs != 2 {
		t.Errorf("the update returned %v after %d runs, want success after two", err, runs)
	}
	if fence := fenceOf(t, server, direct); fence != 1 {
		t.Errorf("the fence is %d, so the update was done %d times", fence, fence)
	}
}

func TestACommitOfWhichNobodyCanTellIsNotTriedAgain(t *testing.T) {
	server, direct, w, st := wired(t)
	store.SetSettleLimit(t, 2*time.Second)
	runs := 0
	err := st.Drive().Update(t.Context(), func(tx drive.Tx) error {
		runs++
		if _, err := tx.NextFence("shop/staging"); err != nil {
			return err
		}
		w.deaf.Store(true)
		go func() {
			waitFor(t, "the commit", func() bool { return fenceOf(t, server, direct) == 1 })
			_ = w.listener.Close() // nobody comes through any more
			w.cut()
		}()
		return nil
	})
	if fault.CodeOf(err) != fault.Unavailable || !strings.Contains(err.Error(), "cannot tell how it ended") || runs != 1 {
		t.Errorf("the update returned %v after %d runs", err, runs)
	}
}

// fenceOf reads by a way of its own.
func fenceOf(t testing.TB, server *postgres.Server, direct string) (fence int) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := server.Scan(ctx, direct, &fence, "SELECT coalesce(max(fence), 0) FROM fences"); err != nil {
		t.Error(err)
	}
	return fence
}
