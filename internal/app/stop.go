package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairwayhq/fairway/internal/cli"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/platform"
	"github.com/fairwayhq/fairway/internal/process"
	"github.com/fairwayhq/fairway/internal/router"
)

func hostCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "host", Short: "Look after what runs on this machine without a server", Args: cobra.NoArgs}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	cmd.AddCommand(hostStopCommand())
	return cmd
}

func hostStopCommand() *cobra.Command {
	var dir string
	var yes bool
	cmd := &cobra.Command{
		Use:   "stop",
		Short: "End the services that run on this machine, and the router",
		Long: `End the services that run on this machine, and the router: the users of the services
get no answer any more. Server and worker do not do so at their end, so that nobody
notices it; stop them first. The next release of each service begins from nothing.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return stopHost(cmd.Context(), dir, yes, cmd.OutOrStdout(), slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelError})))
		},
	}
	cmd.Flags().StringVar(&dir, "data-dir", cli.DataDir(), "folder of the server or the worker (FAIRWAY_DATA_DIR)")
	cmd.Flags().BoolVar(&yes, "yes", false, "do it; without it, only what would be ended is told")
	return cmd
}

// stopHost takes all services of the folder away by the platform's own verbs, and
// then ends the router.
func stopHost(ctx context.Context, dir string, yes bool, out io.Writer, log *slog.Logger) error {
	h, err := newHost(hostConfig{dataDir: dir, log: log, clock: newClock(log)})
	if err != nil {
		return err
	}
	unlock, err := h.tend(syscall.LOCK_EX)
	if errors.Is(err, process.ErrLocked) {
		return fault.Errorf(fault.Conflict, "a server or a worker looks after %s, and would start everything again", h.dir).
			WithHint("stop it first, for instance with Ctrl-C")
	}
	if err != nil {
		return err
	}
	defer unlock()
	targets, err := h.platform.Targets()
	if err != nil {
		return err
	}
	if err := h.awaitRouter(ctx); err != nil {
		return err
	}
	names, err := h.running(ctx, targets)
	if err != nil {
		return err
	}
	if !yes {
		return fault.Errorf(fault.Invalid, "this would end the router of %s and: %s", h.dir, names).
			WithHint("users get no answer then; to do it give --yes")
	}
	if err := h.clear(ctx, targets); err != nil {
		return err
	}
	if err := h.endRouter(ctx); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "Ended the router of %s and: %s\n", h.dir, names)
	return err
}

// running names the targets that have anything.
func (h *hostParts) running(ctx context.Context, targets []platform.Target) (string, error) {
	var names []string
	for _, t := range targets {
		s, err := h.platform.Observe(ctx, t)
		if err != nil {
			return "", err
		}
		if len(s.Revisions) > 0 || len(s.Weights) > 0 {
			names = append(names, t.String())
		}
	}
	if len(names) == 0 {
		return "no service", nil
	}
	return strings.Join(names, ", "), nil
}

func (h *hostParts) clear(ctx context.Context, targets []platform.Target) error {
	for _, t := range targets {
		if err := platform.Clear(ctx, h.platform, t, "fairway host stop"); err != nil {
			return fmt.Errorf("end %s: %w", t, err)
		}
	}
	return nil
}

// endRouter ends the router, and returns when its last request is answered.
func (h *hostParts) endRouter(ctx context.Context) error {
	health, err := h.router.Health(ctx)
	if err != nil {
		return err
	}
	if err := endRouter(h.dir); err != nil {
		return err
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !errors.Is(syscall.Kill(health.PID, 0), syscall.ESRCH) {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	return nil
}

// awaitRouter starts the router if there is none, as when the machine was restarted:
// it keeps the routes.
func (h *hostParts) awaitRouter(ctx context.Context) error {
	if _, err := h.router.Health(ctx); !router.Gone(err) {
		return err
	}
	if err := h.startRouter(); err != nil {
		return fault.Errorf(fault.Unavailable, "the router could not be started: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return h.router.Ready(ctx)
}

// tend keeps or takes the folder for oneself: who looks after it shares the lock.
func (h *hostParts) tend(how int) (unlock func(), err error) {
	unlock, err = process.TryLock(filepath.Join(h.dir, "tended"), how)
	if err != nil && !errors.Is(err, process.ErrLocked) {
		return nil, fault.Errorf(fault.Unavailable, "lock the folder %s: %w", h.dir, err)
	}
	return unlock, err
}
