package router

import (
	"context"
	"errors"
	"net"
	"time"
)

// awaitSuccessor returns when another process has taken over, or the hand-over
// socket was closed.
func (p *process) awaitSuccessor() *wire {
	for {
		c, err := p.estate.handover.AcceptUnix()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			p.config.Log.Error("could not accept a process that wants to take over", "error", err)
			time.Sleep(10 * time.Millisecond) // out of file descriptors: let some be closed
			continue
		}
		w := &wire{UnixConn: c}
		if err := p.handOver(w); err != nil {
			p.config.Log.Error("could not hand over", "error", err)
			w.Close()
			continue
		}
		return w
	}
}

// handOver gives everything to the process at the other end and returns when
// that one serves. If it does not, this process goes on as before.
func (p *process) handOver(w *wire) (err error) {
	p.handing.Store(true)
	p.registry.freeze(true)
	defer func() {
		if err != nil {
			p.registry.freeze(false)
			p.handing.Store(false)
		}
	}()
	w.SetDeadline(time.Now().Add(patience))
	for _, l := range p.listeners.all() {
		if err := w.send(message{Kind: kindListener, Listen: l.addr, TLS: l.tls.Load()}, l.net); err != nil {
			return err
		}
	}
	counters := p.tally.snapshot(time.Now())
	err = errors.Join(
		w.send(message{Kind: kindAdmin}, p.estate.admin),
		w.send(message{Kind: kindHandover}, p.estate.handover),
		w.send(message{Kind: kindLock}, p.estate.lock),
		w.send(message{Kind: kindCounters, Counters: &counters}, nil),
		w.send(message{Kind: kindReady}, nil),
	)
	if err != nil {
		return err
	}
	m, _, err := w.receive()
	if err == nil && m.Kind != kindReady {
		err = errors.New("the new process is not ready")
	}
	if err != nil {
		return err
	}
	return w.SetDeadline(time.Time{})
}

// retire ends this process after another one took over: idle connections move
// there, the others finish here, and what is counted meanwhile is told.
func (p *process) retire(w *wire) {
	ctx, cancel := context.WithTimeout(context.Background(), p.config.DrainTimeout)
	defer cancel()
	p.plane.pass = func(c *conn) error {
		return w.send(message{Kind: kindConn, Listen: c.on.addr, Read: c.buffered()}, c.Conn.(*net.TCPConn))
	}
	p.estate.handover.Close()
	p.closeAdmin()
	p.listeners.close()
	p.plane.moveIdle()
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		p.drain(ctx)
	}()
	p.reportUntil(drained, w)
	w.Close()
}

// reportUntil tells the new process what was counted, now and then and at the
// end, and follows its table for the connections that stay here.
func (p *process) reportUntil(drained <-chan struct{}, w *wire) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for done := false; !done; {
		select {
		case <-tick.C:
		case <-drained:
			done = true
		}
		serial := p.registry.reload()
		counters := p.tally.snapshot(time.Now())
		if err := w.send(message{Kind: kindCounters, Counters: &counters, Serial: serial}, nil); err != nil {
			p.config.Log.Error("lost the process that took over", "error", err)
			<-drained
			return
		}
	}
}
