package main

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
)

// relay passes connections on to an address, and counts them and their bytes both ways.
type relay struct {
	listener net.Listener
	to       string

	bytes, open, most atomic.Int64

	mu    sync.Mutex
	conns map[net.Conn]struct{}
	done  sync.WaitGroup
}

func startRelay(to string) (*relay, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &relay{listener: l, to: to, conns: map[net.Conn]struct{}{}}
	r.done.Go(r.accept)
	return r, nil
}

func (r *relay) address() string { return r.listener.Addr().String() }

func (r *relay) accept() {
	for {
		near, err := r.listener.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", r.to)
		if err != nil {
			near.Close()
			continue
		}
		n := r.open.Add(1)
		for most := r.most.Load(); n > most && !r.most.CompareAndSwap(most, n); most = r.most.Load() {
		}
		r.keep(near, far)
		var both sync.WaitGroup
		both.Go(func() { r.copy(far, near) })
		both.Go(func() { r.copy(near, far) })
		r.done.Go(func() {
			both.Wait()
			r.open.Add(-1)
			r.drop(near, far)
		})
	}
}

// copy copies until one side ends, and lets the other know.
func (r *relay) copy(to, from net.Conn) {
	_, _ = io.Copy(counting{to, &r.bytes}, from)
	to.Close()
	from.Close()
}

type counting struct {
	to    io.Writer
	bytes *atomic.Int64
}

func (c counting) Write(b []byte) (int, error) {
	n, err := c.to.Write(b)
	c.bytes.Add(int64(n))
	return n, err
}

func (r *relay) keep(conns ...net.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range conns {
		r.conns[c] = struct{}{}
	}
}

func (r *relay) drop(conns ...net.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range conns {
		delete(r.conns, c)
	}
}

// stop ends all connections and waits for them.
func (r *relay) stop() {
	r.listener.Close()
	r.mu.Lock()
	for c := range r.conns {
		c.Close()
	}
	r.mu.Unlock()
	r.done.Wait()
}
