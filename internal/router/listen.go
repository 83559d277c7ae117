package router

import (
	"crypto/tls"
	"errors"
	"log/slog"
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
}

// listeners are all addresses that the router listens on.
type listeners struct {
	tls    *tls.Config // nil: no certificate
	handle func(*net.TCPConn, *listener)
	log    *slog.Logger

	mu      sync.Mutex
	bound   map[string]*listener
	wanted  map[string]*site
	accepts sync.WaitGroup
}

func (ls *listeners) open(addr string, useTLS bool) (string, error) {
	if useTLS && ls.tls == nil {
		return "", fault.Errorf(fault.Invalid, "%s asks for TLS, but the router has no certificate", addr).
			WithHint("start the router with a certificate and a key")
	}
	ls.mu.Lock()
	defer ls.mu.Unlock()
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

// adopt accepts connections on l from now on. ls.mu is held.
func (ls *listeners) adopt(addr string, l *net.TCPListener, useTLS bool) {
	ln := &listener{addr: addr, net: l}
	ln.tls.Store(useTLS)
	ls.bound[addr] = ln
	ls.accepts.Go(func() { ls.accept(ln) })
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
	for addr := range ls.wanted {
		if ls.bound[addr] == nil {
			addrs = append(addrs, addr)
		}
	}
	slices.Sort(addrs)
	return addrs
}

// close stops listening everywhere.
func (ls *listeners) close() {
	ls.mu.Lock()
	for addr, l := range ls.bound {
		l.net.Close()
		delete(ls.bound, addr)
	}
	ls.mu.Unlock()
	ls.accepts.Wait()
}
