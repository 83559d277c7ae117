// Package balancer stands before several servers of a test, as in a real installation: each
// connection goes to the next one that takes it.
//
//	b, err := balancer.Start("127.0.0.1:7001", "127.0.0.1:7002")
//	defer b.Close()
//	c, err := client.New(client.Config{URL: b.URL()})
//
// It carries bytes and knows nothing of HTTP: a request in flight to a server that dies is
// lost, and whoever sent it asks again.
package balancer

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
)

// Balancer listens on a free port of the loopback until it is closed.
type Balancer struct {
	listener net.Listener
	to       []string
	turn     atomic.Int64
	done     sync.WaitGroup

	mu     sync.Mutex
	closed bool
	open   map[net.Conn]bool
}

// Start stands before the servers at these addresses, of which none needs to be up.
func Start(to ...string) (*Balancer, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	b := &Balancer{listener: l, to: to, open: map[net.Conn]bool{}}
	b.done.Go(b.accept)
	return b, nil
}

// URL is where it is reached.
func (b *Balancer) URL() string { return "http://" + b.listener.Addr().String() }

// Close ends every connection.
func (b *Balancer) Close() {
	_ = b.listener.Close()
	b.mu.Lock()
	b.closed = true
	for c := range b.open {
		_ = c.Close()
	}
	b.mu.Unlock()
	b.done.Wait()
}

func (b *Balancer) accept() {
	for {
		in, err := b.listener.Accept()
		if err != nil {
			return
		}
		b.done.Go(func() { b.carry(in) })
	}
}

// carry takes bytes both ways until one side ends.
func (b *Balancer) carry(in net.Conn) {
	defer in.Close()
	out := b.dial()
	if out == nil {
		return
	}
	defer out.Close()
	if !b.keep(in, out) {
		return
	}
	defer b.drop(in, out)
	var both sync.WaitGroup
	for from, to := range map[net.Conn]net.Conn{in: out, out: in} {
		both.Go(func() {
			_, _ = io.Copy(to, from)
			_ = to.Close()
		})
	}
	both.Wait()
}

// dial reaches the next server; nil where none takes the connection.
func (b *Balancer) dial() net.Conn {
	first := int(b.turn.Add(1))
	for i := range b.to {
		if c, err := net.Dial("tcp", b.to[(first+i)%len(b.to)]); err == nil {
			return c
		}
	}
	return nil
}

func (b *Balancer) keep(conns ...net.Conn) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range conns {
		b.open[c] = true
	}
	return !b.closed
}

func (b *Balancer) drop(conns ...net.Conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range conns {
		delete(b.open, c)
	}
}
