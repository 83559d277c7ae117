package router

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fairwayhq/fairway/internal/fault"
)

// A process that starts takes over from the one that serves, if there is one:
//
//	new                             old
//	 │── connects ──────────────────►│ refuses changes from now on
//	 │◄── sockets, lock, counters ───│ goes on accepting
//	 │ reads the table, accepts      │
//	 │── ready ─────────────────────►│ stops accepting
//	 │◄── idle connections ──────────│ finishes what it has begun
//	 │◄── counters, now and then ────│
//	 │                               │ exits
//
// If the new one dies before it is ready, the old one goes on as before.

// message is what two processes tell each other.
type message struct {
	Kind kind `json:"kind"`
	// Listen is the address of a socket, or the one a connection came in on.
	Listen string `json:"listen,omitempty"`
	TLS    bool   `json:"tls,omitempty"`
	// Serial is that of the table that the sender serves by.
	Serial int64 `json:"serial,omitempty"`
	// Read is what was already read from a connection.
	Read []byte `json:"read,omitempty"`
	// Counters are all counts of the sender so far.
	Counters *Counters `json:"counters,omitempty"`
}

type kind string

const (
	kindListener kind = "listener"
	kindAdmin    kind = "admin"
	kindHandover kind = "handover"
	kindLock     kind = "lock"
	kindCounters kind = "counters"
	kindReady    kind = "ready"
	kindConn     kind = "conn"
)

// patience is how long the other process may take for its next step.
const patience = 10 * time.Second

// estate is what a process needs to serve, found or made at its start.
type estate struct {
	admin, handover *net.UnixListener
	lock            *os.File
	listeners       []inherited
	counters        Counters
	from            *wire // the process before, while it drains; may be nil
}

type inherited struct {
	addr string
	tls  bool
	net  *net.TCPListener
}

// settle takes over from the process that serves, or begins anew.
func settle(ctx context.Context, dir string) (*estate, error) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	end := time.Now().Add(patience)
	for {
		last := time.Now().After(end) // read first: after a stall there is another try
		e, err := takeOver(dir)
		if Gone(err) {
			e, err = begin(dir)
		}
		if err == nil {
			return e, nil
		}
		if last {
			return nil, fault.Errorf(fault.Conflict, "another router uses %s: %w", dir, err).
				WithHint("stop it, or choose another state directory")
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-tick.C:
		}
	}
}

// begin makes the sockets of a state directory that no process serves.
func begin(dir string) (_ *estate, err error) {
	e := &estate{}
	defer func() {
		if err != nil {
			e.close()
		}
	}()
	if e.lock, err = os.OpenFile(lockFile(dir), os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return nil, err
	}
	if err = unix.Flock(int(e.lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, err
	}
	if e.counters, err = readCounters(dir); err != nil {
		return nil, err
	}
	if e.admin, err = listenUnix(adminSocket(dir)); err != nil {
		return nil, err
	}
	e.handover, err = listenUnix(handoverSocket(dir))
	return e, err
}

func listenUnix(path string) (*net.UnixListener, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false) // the path is handed over with the socket
	return l, os.Chmod(path, 0o600)
}

// takeOver asks the process that serves for everything.
func takeOver(dir string) (*estate, error) {
	c, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: handoverSocket(dir), Net: "unix"})
	if err != nil {
		return nil, err
	}
	e := &estate{from: &wire{UnixConn: c}}
	c.SetDeadline(time.Now().Add(patience))
	for {
		m, file, err := e.from.receive()
		if err == nil && m.Kind == kindReady {
			return e, c.SetDeadline(time.Time{})
		}
		if err == nil {
			err = e.take(m, file)
		}
		if err != nil {
			e.close()
			return nil, fmt.Errorf("take over: %w", err)
		}
	}
}

func (e *estate) take(m message, file *os.File) (err error) {
	if m.Kind == kindCounters {
		e.counters = *m.Counters
		return nil
	}
	if file == nil {
		return fmt.Errorf("the message %s has no file", m.Kind)
	}
	if m.Kind == kindLock {
		e.lock = file
		return nil
	}
	defer file.Close() // net makes a duplicate
	l, err := net.FileListener(file)
	if err != nil {
		return err
	}
	switch v := l.(type) {
	case *net.TCPListener:
		e.listeners = append(e.listeners, inherited{addr: m.Listen, tls: m.TLS, net: v})
		return nil
	case *net.UnixListener:
		v.SetUnlinkOnClose(false)
		if m.Kind == kindAdmin {
			e.admin = v
			return nil
		}
		e.handover = v
		return nil
	}
	return fmt.Errorf("the message %s has an unknown socket", m.Kind)
}

// close lets go of everything; the sockets live on where they were handed over.
func (e *estate) close() {
	if e.admin != nil {
		e.admin.Close()
	}
	if e.handover != nil {
		e.handover.Close()
	}
	if e.lock != nil {
		e.lock.Close()
	}
	for _, l := range e.listeners {
		l.net.Close()
	}
	if e.from != nil {
		e.from.Close()
	}
}

// readCounters returns what a process that stopped in order left, and takes it
// away: after a crash there is nothing, and a new epoch begins.
func readCounters(dir string) (c Counters, err error) {
	raw, err := os.ReadFile(countersFile(dir))
	if errors.Is(err, os.ErrNotExist) {
		return c, nil
	}
	if err == nil {
		err = os.Remove(countersFile(dir))
	}
	if err == nil && json.Unmarshal(raw, &c) != nil {
		c = Counters{} // damaged: begin a new epoch
	}
	return c, err
}

// inherit takes what the process before sends until it is gone.
func (p *process) inherit(from *wire, before Counters) {
	defer from.Close()
	defer p.tally.alone()
	defer p.follower.gone()
	for {
		m, file, err := from.receive()
		switch {
		case err != nil:
			if !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
				p.config.Log.Error("lost the process before", "error", err)
			}
			return
		case m.Kind == kindCounters && m.Counters != nil:
			p.tally.merge(*m.Counters, before)
			before = *m.Counters
			p.follower.reached(m.Serial)
		case m.Kind == kindConn && file != nil:
			p.adopt(m, file)
		}
	}
}

// adopt serves a client connection that another process accepted.
func (p *process) adopt(m message, file *os.File) {
	defer file.Close()
	c, err := net.FileConn(file)
	if err != nil {
		p.config.Log.Error("could not adopt a connection", "error", err)
		return
	}
	t, ok := c.(*net.TCPConn)
	l := p.listeners.at(m.Listen)
	if !ok || l == nil || c.RemoteAddr() == nil { // without an address the client has gone
		c.Close()
		return
	}
	p.plane.adopt(t, l, m.Read)
}
