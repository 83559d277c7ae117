package router

import (
	"net"
	"sync"
	"time"
)

const (
	dialTimeout = 2 * time.Second
	// idleBackend is how long a connection to a backend is kept without use.
	idleBackend = 60 * time.Second
	// idleLimit is how many of them are kept for each backend.
	idleLimit = 256
)

// pool keeps idle connections to one backend, the youngest on top.
type pool struct {
	mu     sync.Mutex
	conns  []net.Conn
	closed bool
}

func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, c := range p.conns {
		c.Close()
	}
	p.conns = nil
}
