package sandbox

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// dialLimit bounds a forwarded connection's way in; there is no distance to it.
const dialLimit = 10 * time.Second

// Dial connects to an address as the sandbox's inside sees it. The host must be
// a literal IP address: there is nobody inside to ask for names.
func (s *Sandbox) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	if s.isClosing() {
		return nil, errClosed
	}
	c, err := dialIn(ctx, s.netns, network, address)
	if err != nil {
		return nil, fmt.Errorf("reach into the sandbox: %w", err)
	}
	held := &heldConn{Conn: c, of: s}
	if !s.hold(held) {
		_ = c.Close()
		return nil, errClosed
	}
	return held, nil
}

// Forward listens on the machine's loopback and passes each connection on to an
// address inside. It returns where it listens, as host:port; that lasts until Close.
func (s *Sandbox) Forward(inside string) (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		_ = l.Close()
		return "", errClosed
	}
	s.open[l] = struct{}{}
	s.work.Go(func() { s.serve(l, inside) })
	return l.Addr().String(), nil
}

func (s *Sandbox) serve(l net.Listener, inside string) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		// The listener's own count keeps work above zero here.
		s.work.Go(func() { s.pass(c, inside) })
	}
}

// pass joins two connections until both directions have ended.
func (s *Sandbox) pass(outer net.Conn, inside string) {
	defer outer.Close()
	if !s.hold(outer) {
		return
	}
	defer s.release(outer)
	ctx, cancel := context.WithTimeout(s.ending, dialLimit)
	defer cancel()
	inner, err := s.Dial(ctx, "tcp", inside)
	if err != nil {
		return
	}
	defer inner.Close()
	var both sync.WaitGroup
	both.Go(func() { half(inner, outer) })
	both.Go(func() { half(outer, inner) })
	both.Wait()
}

// half copies one direction and passes its end on.
func half(to, from net.Conn) {
	_, _ = io.Copy(to, from)
	if c, ok := to.(interface{ CloseWrite() error }); ok {
		_ = c.CloseWrite()
	}
}

// heldConn is a connection that the sandbox forgets when it is closed.
type heldConn struct {
	net.Conn
	of *Sandbox
}

func (c *heldConn) Close() error {
	c.of.release(c)
	return c.Conn.Close()
}

// CloseWrite ends one direction, where the connection has two.
func (c *heldConn) CloseWrite() error {
	if w, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return c.Close()
}
