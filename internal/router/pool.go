package router

import (
	"sync"
	"time"
)

const (
	dialTimeout = 2 * time.Second
	// idleBackend is how long a connection to a backend is kept without use.
	idleBackend = 60 * time.Second
	// idleLimit is how many of them are kept for each backend.
	idleLimit = 512
)

// pool keeps idle connections to one backend, the youngest on top.
type pool struct {
	mu     sync.Mutex
	conns  []*upstream
	closed bool
}

func (p *pool) pop() *upstream {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.conns)
	if n == 0 {
		return nil
	}
	u := p.conns[n-1]
	p.conns[n-1] = nil
	p.conns = p.conns[:n-1]
	return u
}

func (p *pool) push(u *upstream) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || len(p.conns) >= idleLimit {
		return false
	}
	p.conns = append(p.conns, u)
	return true
}

// expire closes the connections that have been idle since before then.
func (p *pool) expire(then time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for n < len(p.conns) && p.conns[n].idleSince.Before(then) {
		p.conns[n].Close()
		n++
	}
	p.conns = append(p.conns[:0], p.conns[n:]...)
}

func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, u := range p.conns {
		u.Close()
	}
	p.conns = nil
}
