package router

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"
)

// plane is the data plane: it takes client connections and serves them.
type plane struct {
	server *http.Server
	feed   *feed
	tls    *tls.Config
}

func newPlane(p *proxy, config *tls.Config) *plane {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	pl := &plane{feed: newFeed(), tls: config}
	pl.server = &http.Server{
		Handler:           p,
		Protocols:         protocols,
		ReadHeaderTimeout: 30 * time.Second,
		IdleTimeout:       idleClient,
		ErrorLog:          log.New(io.Discard, "", 0),
		ConnContext:       withListener,
	}
	return pl
}

// idleClient is how long a client's connection is kept without a request.
const idleClient = 2 * time.Minute

func withListener(ctx context.Context, c net.Conn) context.Context {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	return context.WithValue(ctx, listenerKey{}, c.(*tagged).on)
}

// handle takes a connection that came in on l.
func (p *plane) handle(c net.Conn, l *listener) {
	c = &tagged{Conn: c, on: l}
	if l.tls.Load() {
		c = tls.Server(c, p.tls)
	}
	p.feed.put(c)
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

func (f *feed) Accept() (net.Conn, error) {
	select {
	case c := <-f.conns:
		return c, nil
	case <-f.done:
		return nil, net.ErrClosed
	}
}

func (f *feed) Close() error {
	f.once.Do(func() { close(f.done) })
	return nil
}

func (f *feed) Addr() net.Addr { return &net.TCPAddr{} }
