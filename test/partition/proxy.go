package main

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// proxy stands between a worker and the server.
type proxy struct {
	listener net.Listener
	server   string
	done     sync.WaitGroup

	mu    sync.Mutex
	how   cutting
	conns map[net.Conn]bool
	// open is closed while bytes may pass.
	open chan struct{}
}

// cutting is how a proxy cuts.
type cutting string

const (
	passing   cutting = "passing"
	swallowed cutting = "swallowed" // nothing arrives, and nobody is told
	broken    cutting = "broken"    // connections are reset, also new ones
)

func newProxy(server string) (*proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &proxy{listener: l, server: server, how: passing, conns: map[net.Conn]bool{}, open: make(chan struct{})}
	close(p.open)
	p.done.Go(p.accept)
	return p, nil
}

func (p *proxy) url() string { return "http://" + p.listener.Addr().String() }

// cut cuts, or lets pass again.
func (p *proxy) cut(how cutting) {
	p.mu.Lock()
	defer p.mu.Unlock()
	was := p.how
	p.how = how
	switch {
	case how == was:
		return
	case how == swallowed:
		p.open = make(chan struct{})
	case was == swallowed:
		close(p.open)
	}
	if how == broken {
		for c := range p.conns {
			reset(c)
		}
	}
}

func (p *proxy) accept() {
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.done.Go(func() { p.serve(c) })
	}
}

func (p *proxy) serve(worker net.Conn) {
	if !p.keep(worker) {
		return
	}
	defer p.drop(worker)
	p.wait()
	server, err := net.DialTimeout("tcp", p.server, 5*time.Second)
	if err != nil {
		reset(worker)
		return
	}
	if !p.keep(server) {
		return
	}
	defer p.drop(server)
	var both sync.WaitGroup
	both.Go(func() { p.copy(server, worker) })
	both.Go(func() { p.copy(worker, server) })
	both.Wait()
}

// copy lets bytes pass as long as nothing is cut, and ends both when one ends.
func (p *proxy) copy(to, from net.Conn) {
	defer to.Close()
	defer from.Close()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			p.wait()
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			if errors.Is(err, io.EOF) {
				p.wait()
			}
			return
		}
	}
}

// wait returns when bytes may pass.
func (p *proxy) wait() {
	p.mu.Lock()
	open := p.open
	p.mu.Unlock()
	<-open
}

// keep notes the connection; one that comes while all are broken is too.
func (p *proxy) keep(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.how == broken {
		reset(c)
		return false
	}
	p.conns[c] = true
	return true
}

func (p *proxy) drop(c net.Conn) {
	_ = c.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
}

func (p *proxy) close() {
	_ = p.listener.Close()
	p.cut(passing)
	p.cut(broken)
	p.done.Wait()
}

// reset ends a connection so that the other side hears of it at once.
func reset(c net.Conn) {
	if t, ok := c.(*net.TCPConn); ok {
		_ = t.SetLinger(0)
	}
	_ = c.Close()
}

// sleep waits; false where ctx ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
