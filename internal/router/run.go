package router

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/fairwayhq/fairway/internal/fault"
)

// Run serves until ctx ends. It then stops accepting, lets requests in flight
// finish within the drain timeout, and returns nil.
func Run(ctx context.Context, c Config) error {
	c = c.withDefaults()
	if err := c.Validate(); err != nil {
		return err
	}
	if err := c.prepareDir(); err != nil {
		return err
	}
	r, err := newProcess(c)
	if err != nil {
		return err
	}
	return r.run(ctx)
}

// process is a router with its parts wired together.
type process struct {
	config    Config
	tally     *tally
	listeners *listeners
	registry  *registry
	plane     *plane
	admin     *http.Server
	warnings  []string
	loaded    Table
}

func newProcess(c Config) (*process, error) {
	tlsConfig, err := c.tls()
	if err != nil {
		return nil, err
	}
	d := disk{c.StateDir}
	table, warning, err := d.load()
	if err != nil {
		return nil, err
	}
	p := &process{config: c, tally: newTally(), loaded: table}
	if warning != "" {
		c.Log.Error("read a damaged table", "error", warning)
		p.warnings = append(p.warnings, warning)
	}
	p.plane = newPlane(p.tally, tlsConfig, !c.NoRevisionHeader)
	p.listeners = &listeners{tls: tlsConfig, handle: p.plane.handle, log: c.Log, bound: map[string]*listener{}}
	p.registry = newRegistry(d, p.tally, p.listeners, c.Log)
	p.admin = &http.Server{Handler: admin{p.registry, p.tally, p.health}.handler(), ReadHeaderTimeout: 10 * time.Second}
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
	socket := adminSocket(p.config.StateDir)
	if err := os.Remove(socket); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fault.Errorf(fault.Unavailable, "remove the old admin socket: %w", err)
	}
	l, err := net.Listen("unix", socket)
	if err != nil {
		return fault.Errorf(fault.Unavailable, "listen on the admin socket: %w", err)
	}
	var g errgroup.Group
	g.Go(func() error { return served(p.plane.server.Serve(p.plane.feed)) })
	p.registry.restore(p.loaded)
	g.Go(func() error { return served(p.admin.Serve(l)) })
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	g.Go(func() error { p.upkeep(work); return nil })
	g.Go(func() error { p.plane.sweep(work); return nil })
	<-ctx.Done()
	p.shutdown()
	stop()
	return g.Wait()
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

func (p *process) shutdown() {
	ctx, cancel := context.WithTimeout(context.Background(), p.config.DrainTimeout)
	defer cancel()
	p.listeners.close()
	p.plane.drain(ctx)
	p.admin.Close()
	p.registry.close()
}

func served(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
