package router

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// Run serves until ctx ends or another process takes over, and returns nil then.
// It first takes over itself from a process that serves the state directory. At
// the end it accepts nothing more and lets requests in flight finish within the
// drain timeout.
func Run(ctx context.Context, c Config) error {
	c = c.withDefaults()
	if err := c.Validate(); err != nil {
		return err
	}
	if err := c.prepareDir(); err != nil {
		return err
	}
	e, err := settle(ctx, c.StateDir)
	if err != nil {
		return err
	}
	p, err := newProcess(c, e)
	if err != nil {
		e.close()
		return err
	}
	return p.run(ctx)
}

// process is a router with its parts wired together.
type process struct {
	config    Config
	estate    *estate
	tally     *tally
	listeners *listeners
	registry  *registry
	plane     *plane
	admin     *http.Server
	warnings  []string
	loaded    Table
	// handing: another process is taking over, and answers from now on.
	handing  atomic.Bool
	follower follower
	// answering ends when the admin API accepts nothing more; calls are those
	// that it has accepted.
	answering chan struct{}
	calls     sync.WaitGroup
}

func newProcess(c Config, e *estate) (*process, error) {
	tlsConfig, err := c.tls()
	if err != nil {
		return nil, err
	}
	d := disk{c.StateDir}
	table, warning, err := d.load()
	if err != nil {
		return nil, err
	}
	p := &process{config: c, estate: e, tally: newTally(), loaded: table, answering: make(chan struct{})}
	if warning != "" {
		c.Log.Error("read a damaged table", "error", warning)
		p.warnings = append(p.warnings, warning)
	}
	if e.counters.Epoch != "" {
		p.tally.epoch = e.counters.Epoch
		p.tally.merge(e.counters, Counters{})
	}
	p.plane = newPlane(p.tally, tlsConfig, !c.NoRevisionHeader, c.Log)
	p.listeners = &listeners{tls: tlsConfig, handle: p.plane.handle, log: c.Log, bound: map[string]*listener{}}
	p.registry = newRegistry(d, p.tally, p.listeners, c.Log)
	p.admin = &http.Server{
		Handler:           admin{p.registry, p.tally, &p.follower, p.health, p.handing.Load}.handler(),
		ReadHeaderTimeout: 10 * time.Second,
		ConnState:         p.countCall,
	}
	p.admin.SetKeepAlivesEnabled(false) // one call a connection, or calls would never end
	return p, nil
}

func (p *process) health() []string {
	w := append([]string(nil), p.warnings...)
	for _, addr := range p.listeners.missing() {
		w = append(w, "cannot listen on "+addr)
	}
	return w
}

func (p *process) run(ctx context.Context) error {
	var g errgroup.Group
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	g.Go(func() error { return served(p.plane.server.Serve(p.plane.feed)) })
	g.Go(func() error { p.plane.sweep(work); return nil })
	p.serveTable()
	g.Go(func() error { defer close(p.answering); return served(p.admin.Serve(p.estate.admin)) })
	g.Go(func() error { p.upkeep(work); return nil })
	successor := make(chan *wire, 1)
	g.Go(func() error { successor <- p.awaitSuccessor(); return nil })
	select {
	case <-ctx.Done():
		p.estate.handover.Close()
		if w := <-successor; w != nil { // it came first
			p.retire(w)
		} else {
			p.stop()
		}
	case w := <-successor:
		p.retire(w)
	}
	stop()
	p.registry.close()
	p.estate.close()
	return g.Wait()
}

// serveTable begins to accept, and tells the process before that it may stop.
func (p *process) serveTable() {
	for _, l := range p.estate.listeners {
		p.listeners.inherit(l.addr, l.net, l.tls)
	}
	p.estate.listeners = nil
	p.registry.restore(p.loaded)
	from := p.estate.from
	if from == nil {
		return
	}
	p.follower.follow()
	if err := from.send(message{Kind: kindReady}, nil); err != nil {
		p.config.Log.Error("lost the process before", "error", err)
	}
	p.plane.serves.Go(func() { p.inherit(from, p.estate.counters) })
}

// stop ends a process that nobody takes over from; what it counted is kept for
// the next one.
func (p *process) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), p.config.DrainTimeout)
	defer cancel()
	p.registry.freeze(true)
	p.listeners.close()
	p.drain(ctx)
	raw, err := json.Marshal(p.tally.snapshot(time.Now()))
	if err == nil {
		err = writeFile(countersFile(p.config.StateDir), raw)
	}
	if err != nil {
		p.config.Log.Error("could not keep the counters", "error", err)
	}
	p.closeAdmin()
	os.Remove(adminSocket(p.config.StateDir))
	os.Remove(handoverSocket(p.config.StateDir))
}

// drain waits until all connections have ended, those included that the process
// before still sends.
func (p *process) drain(ctx context.Context) {
	if from := p.estate.from; from != nil {
		defer context.AfterFunc(ctx, func() { from.Close() })()
	}
	p.plane.drain(ctx)
}

// countCall counts the calls of the admin API that are under way.
func (p *process) countCall(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		p.calls.Add(1)
	case http.StateClosed, http.StateHijacked:
		p.calls.Done()
	}
}

// closeAdmin accepts no more calls and lets those that were accepted be answered,
// within a second. Server.Shutdown would drop one that was just being read.
func (p *process) closeAdmin() {
	p.estate.admin.Close()
	<-p.answering // what was accepted last is counted now
	late := time.AfterFunc(time.Second, func() { p.admin.Close() })
	defer late.Stop()
	p.calls.Wait()
}

// upkeep does what has to be done now and then.
func (p *process) upkeep(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			p.tally.fold(now)
			p.registry.expire(now)
			if len(p.listeners.missing()) > 0 {
				_ = p.registry.listen() // what is still missing shows in the health
			}
		}
	}
}

func served(err error) error {
	if errors.Is(err, http.ErrServerClosed) || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
