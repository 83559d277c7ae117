package app

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/process"
	"github.com/fairwayhq/fairway/internal/router"
)

// routerLook is how often the worker looks whether the router lives.
const routerLook = time.Second

// needRouter lets keepRouter begin, and returns when it has seen to the router for the
// first time. One that did not come up is told by whoever asks it.
func (h *hostParts) needRouter() {
	h.wantRouter.Do(func() { close(h.routerWanted) })
	<-h.routerLooked
}

// keepRouter starts the router when it is needed and there is none, and again when it is
// gone. Where it has a table it is needed at once: it may have users to serve. A worker that
// only ever has to do with clusters never needs it. One that is alive and does not answer, as
// on a machine that stands still, is left alone: a second one could only take over with its
// help.
func (h *hostParts) keepRouter(ctx context.Context) error {
	looked := sync.OnceFunc(func() { close(h.routerLooked) })
	defer looked()
	unlock, err := h.tend(syscall.LOCK_SH)
	switch {
	case errors.Is(err, process.ErrLocked):
		return fault.Errorf(fault.Conflict, "`fairway host stop` ends what runs in %s", h.dir).WithHint("start again when it has ended")
	case err != nil: // on a full disk users are served all the same
		h.log.Error("Nobody is kept from stopping this host meanwhile.", "error", err)
	default:
		defer unlock()
	}
	if !router.HasTable(h.routerDir()) {
		select {
		case <-h.routerWanted:
		case <-ctx.Done():
			return nil
		}
	}
	for silent := false; ; {
		_, err := h.router.Health(ctx)
		switch {
		case err == nil || ctx.Err() != nil:
			silent = false
		case router.Gone(err):
			silent = false
			h.bringUpRouter(ctx)
		case !silent:
			silent = true
			h.log.Error("The router did not answer.", "error", err)
		}
		looked()
		timer := time.NewTimer(routerLook)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
	}
}

func (h *hostParts) bringUpRouter(ctx context.Context) {
	if err := h.startRouter(); err != nil {
		h.log.Error("The router could not be started.", "error", err)
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	_ = h.router.Ready(ctx)
}

// startRouter starts a router in a session of its own, so that the end of this
// process never touches users' traffic. Two that start at once agree by the
// router's own lock.
func (h *hostParts) startRouter() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(h.routerDir(), 0o700); err != nil {
		return err
	}
	out, err := os.OpenFile(filepath.Join(h.routerDir(), "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	cmd := exec.Command(self, "router", "--state-dir", h.routerDir())
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	go func() { _ = cmd.Wait() }() // reap it if it ends before this process
	h.log.Info("The router was started.", "pid", cmd.Process.Pid)
	return nil
}

func (h *hostParts) routerDir() string { return filepath.Join(h.dir, "router") }
