package upgrade

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// balancer stands before several servers, as in a real installation: each connection goes to
// the next one that takes it.
type balancer struct {
	listener net.Listener
	to       []string
	turn     atomic.Int64
	mu       sync.Mutex
	open     []net.Conn
	all      sync.WaitGroup
}

func newBalancer(t *testing.T, to []string) *balancer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &balancer{listener: l, to: to}
	b.all.Go(b.accept)
	t.Cleanup(b.close)
	return b
}

func (b *balancer) url() string { return "http://" + b.listener.Addr().String() }

func (b *balancer) accept() {
	for {
		in, err := b.listener.Accept()
		if err != nil {
			return
		}
		out := b.dial()
		if out == nil {
			_ = in.Close()
			continue
		}
		b.mu.Lock()
		b.open = append(b.open, in, out)
		b.mu.Unlock()
		for from, to := range map[net.Conn]net.Conn{in: out, out: in} {
			b.all.Go(func() {
				_, _ = io.Copy(to, from)
				_ = to.Close()
			})
		}
	}
}

func (b *balancer) dial() net.Conn {
	for range b.to {
		address := b.to[int(b.turn.Add(1))%len(b.to)]
		if conn, err := net.Dial("tcp", address); err == nil {
			return conn
		}
	}
	return nil
}

func (b *balancer) close() {
	_ = b.listener.Close()
	b.mu.Lock()
	for _, conn := range b.open {
		_ = conn.Close()
	}
	b.mu.Unlock()
	b.all.Wait()
}
