package router

import (
	"context"
	"crypto/tls"
	"io"
	stdlog "log"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// plane is the data plane: it takes client connections and serves them, HTTP/1
// itself, HTTP/2 through net/http.
type plane struct {
	tally          *tally
	revisionHeader bool
	tls            *tls.Config
	log            *slog.Logger
	server         *http.Server
	feed           *feed

	mu     sync.Mutex
	conns  map[*conn]struct{}
	serves sync.WaitGroup

	// closing: the router stops; every answer is its connection's last.
	closing atomic.Bool
	// leaving: another process takes over, and takes idle connections.
	leaving atomic.Bool
	// pass gives an idle connection to the other process.
	pass func(*conn) error
}

func newPlane(t *tally, config *tls.Config, revisionHeader bool, log *slog.Logger) *plane {
	protocols := new(http.Protocols)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	return &plane{
		tally: t, revisionHeader: revisionHeader, tls: config, log: log,
		feed: newFeed(), conns: map[*conn]struct{}{},
		server: &http.Server{
			Handler:           newProxy(t, revisionHeader),
			Protocols:         protocols,
			ReadHeaderTimeout: slowClient,
			IdleTimeout:       idleClient,
			ErrorLog:          stdlog.New(io.Discard, "", 0),
			ConnContext:       withListener,
		},
	}
}

// handle serves a connection that came in on l, in a goroutine of its own.
func (p *plane) handle(nc *net.TCPConn, l *listener) {
	p.serves.Go(func() {
		if !l.tls.Load() {
			p.serveHTTP1(newConn(p, l, nc))
			return
		}
		t := tls.Server(&tagged{TCPConn: nc, on: l}, p.tls)
		protocol, err := handshake(t)
		switch {
		case err != nil:
			t.Close()
		case protocol == "h2":
			p.feed.put(t)
		default:
			p.serveHTTP1(newConn(p, l, t))
		}
	})
}

// adopt serves a cleartext connection that another process accepted and has
// read so much from.
func (p *plane) adopt(nc *net.TCPConn, l *listener, read []byte) {
	c := newConn(p, l, nc)
	c.buf = append(read, c.buf...)
	c.w = len(read)
	p.serves.Go(func() { p.serveHTTP1(c) })
}

func (p *plane) serveHTTP1(c *conn) {
	p.mu.Lock()
	p.conns[c] = struct{}{}
	p.mu.Unlock()
	defer p.dismiss(c)
	c.serve()
}

// dismiss ends a connection that was served. A fault in the router's own code
// costs this connection, not all.
func (p *plane) dismiss(c *conn) {
	if r := recover(); r != nil {
		p.log.Error("a connection hit a fault of the router", "error", r, "stack", string(debug.Stack()))
	}
	p.mu.Lock()
	delete(p.conns, c)
	p.mu.Unlock()
	if !c.gone {
		c.Close()
	}
}

// toHTTP2 gives a cleartext connection that speaks HTTP/2 to net/http.
func (p *plane) toHTTP2(c *conn) {
	if p.leave(c) {
		return
	}
	c.gone = true
	p.feed.put(&tagged{TCPConn: c.Conn.(*net.TCPConn), on: c.on, read: append([]byte(nil), c.buffered()...)})
}

// each calls f with every HTTP/1 connection.
func (p *plane) each(f func(*conn)) {
	p.mu.Lock()
	all := make([]*conn, 0, len(p.conns))
	for c := range p.conns {
		all = append(all, c)
	}
	p.mu.Unlock()
	for _, c := range all {
		f(c)
	}
}

// lastAnswer says whether the connection ends with the answer that is written now.
func (p *plane) lastAnswer(c *conn) bool {
	return p.closing.Load() || p.leaving.Load() && c.tls
}

// leave moves a connection without an exchange to the process that takes over, if there is one.
func (p *plane) leave(c *conn) bool {
	if !p.leaving.Load() || c.tls || p.pass(c) != nil {
		return false
	}
	c.gone = true
	c.Close() // this process's share of it
	return true
}

// drain waits until all connections have ended, and ends them when ctx does.
func (p *plane) drain(ctx context.Context) {
	if !p.leaving.Load() {
		p.closing.Store(true)
	}
	var wait sync.WaitGroup
	wait.Go(func() {
		if p.server.Shutdown(ctx) != nil {
			p.server.Close()
		}
	})
	stop := context.AfterFunc(ctx, func() {
		p.each(func(c *conn) {
			c.watch.end(endedAborted)
			c.Close()
		})
	})
	defer stop()
	p.serves.Wait()
	wait.Wait()
}

// tagged is a connection for net/http that knows which address it came in on,
// and may have been read from before.
type tagged struct {
	*net.TCPConn
	on   *listener
	read []byte
}

func (t *tagged) Read(p []byte) (int, error) {
	if len(t.read) == 0 {
		return t.TCPConn.Read(p)
	}
	n := copy(p, t.read)
	t.read = t.read[n:]
	return n, nil
}

type listenerKey struct{}

func listenerOf(ctx context.Context) *listener {
	return ctx.Value(listenerKey{}).(*listener)
}

func withListener(ctx context.Context, c net.Conn) context.Context {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	return context.WithValue(ctx, listenerKey{}, c.(*tagged).on)
}

// feed is a net.Listener of connections that were accepted elsewhere.
type feed struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newFeed() *feed { return &feed{conns: make(chan net.Conn), done: make(chan struct{})} }

func (f *feed) put(c net.Conn) {
	select {
	case f.conns <- c:
	case <-f.done:
		c.Close()
	}
}

// Accept implements net.Listener.
func (f *feed) Accept() (net.Conn, error) {
	select {
	case c := <-f.conns:
		return c, nil
	case <-f.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (f *feed) Close() error {
	f.once.Do(func() { close(f.done) })
	return nil
}

// Addr implements net.Listener.
func (f *feed) Addr() net.Addr { return &net.TCPAddr{} }

var (
	_ net.Listener = (*feed)(nil)
	_ syscall.Conn = (*tagged)(nil)
)

// moveIdle asks every idle connection to move to the process that takes over;
// the others do when they become idle.
func (p *plane) moveIdle() {
	p.leaving.Store(true)
	p.each(func(c *conn) {
		c.watch.mu.Lock()
		defer c.watch.mu.Unlock()
		if c.watch.phase == phaseIdle && !c.tls {
			c.SetReadDeadline(time.Now())
		}
	})
}
