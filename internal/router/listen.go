package router

import (
	"crypto/tls"
	"errors"
	"log/slog"
	"maps"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
)

// listener is one address that traffic comes in on.
type listener struct {
	addr string
	net  *net.TCPListener
	tls  atomic.Bool
	site atomic.Pointer[site]
	// accepting: connections are accepted; guarded by listeners.
	accepting bool
}

// listeners are all addresses that the router listens on.
type listeners struct {
	tls    *tls.Config // nil: no certificate
	handle func(*net.TCPConn, *listener)
	log    *slog.Logger

	mu      sync.Mutex
	bound   map[string]*listener
	wanted  map[string]*site
	closed  bool
	accepts sync.WaitGroup
}

func (ls *listeners) open(addr string, useTLS bool) (string, error) {
	if useTLS && ls.tls == nil {
		return "", fault.Errorf(fault.Invalid, "%s asks for TLS, but the router has no certificate", addr).
			WithHint("start the router with a certificate and a key")
	}
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if ls.closed {
		return "", errHanding
	}
	if l := ls.bound[addr]; l != nil {
		if l.tls.Load() != useTLS && l.site.Load() != nil {
			return "", fault.Errorf(fault.Conflict, "%s is in use, and cannot change between TLS and cleartext", addr)
		}
		l.tls.Store(useTLS)
		return addr, nil
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return "", fault.Errorf(fault.Unavailable, "listen on %s: %w", addr, err).
			WithHint("see which process has the address, or choose another")
	}
	if _, port, err := net.SplitHostPort(addr); err == nil && port == "0" {
		addr = l.Addr().String()
	}
	ls.adopt(addr, l.(*net.TCPListener), useTLS)
	return addr, nil
}

// adopt takes a listening socket. ls.mu is held.
func (ls *listeners) adopt(addr string, l *net.TCPListener, useTLS bool) {
	ln := &listener{addr: addr, net: l}
	ln.tls.Store(useTLS)
	ls.bound[addr] = ln
}

// inherit takes a listening socket of the process before.
func (ls *listeners) inherit(addr string, l *net.TCPListener, useTLS bool) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	ls.adopt(addr, l, useTLS)
}

// all returns the addresses that are listened on.
func (ls *listeners) all() []*listener {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	return slices.Collect(maps.Values(ls.bound))
}

// at returns the listener of an address, or nil.
func (ls *listeners) at(addr string) *listener {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	return ls.bound[addr]
}

func (ls *listeners) serve(sites map[string]*site) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	ls.wanted = sites
	for addr, l := range ls.bound {
		s := sites[addr]
		l.site.Store(s)
		if s == nil {
			l.net.Close()
			delete(ls.bound, addr)
		} else if !l.accepting && !ls.closed {
			l.accepting = true
			ls.accepts.Go(func() { ls.accept(l) })
		}
	}
}

func (ls *listeners) accept(l *listener) {
	for {
		c, err := l.net.AcceptTCP()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			ls.log.Error("could not accept a connection", "listen", l.addr, "error", err)
			time.Sleep(10 * time.Millisecond) // out of file descriptors: let some be closed
			continue
		}
		ls.handle(c, l)
	}
}

// missing returns the addresses that should be listened on but are not.
func (ls *listeners) missing() []string {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	var addrs []string
	if ls.closed {
		return nil
	}
	for addr := range ls.wanted {
		if ls.bound[addr] == nil {
			addrs = append(addrs, addr)
		}
	}
	slices.Sort(addrs)
	return addrs
}

// close stops listening everywhere. What each address serves can still be set,
// for connections that came in on it before.
func (ls *listeners) close() {
	ls.mu.Lock()
	ls.closed = true
	for _, l := range ls.bound {
		l.net.Close()
	}
	ls.mu.Unlock()
	ls.accepts.Wait()
}
