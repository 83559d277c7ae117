package app

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/release"
	"github.com/fairwayhq/fairway/internal/telemetry"
)

// housekeeping is what a server does beside releases: it verifies the ledger, and removes
// what is older than it has to keep.
type housekeeping struct {
	control *release.Control
	log     *slog.Logger
	rota    rota

	broken   atomic.Int64
	verified atomic.Int64 // the end of the last look at all chains, in Unix seconds; 0 is never
	removed  *prometheus.CounterVec
}

func newHousekeeping(control *release.Control, log *slog.Logger, rota rota) *housekeeping {
	h := &housekeeping{control: control, log: log, rota: rota, removed: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "fairway_retention_removed_total", Help: "What was removed because it was old: samples, and lines of the ledger.",
	}, []string{"what"})}
	for _, what := range []string{"samples", "events"} {
		h.removed.WithLabelValues(what)
	}
	return h
}

func (h *housekeeping) collectors() []prometheus.Collector {
	return []prometheus.Collector{
		h.removed,
		telemetry.Gauge("fairway_ledger_broken_chains", "Releases whose history was changed outside of Fairway, at the last look of any server.",
			func() float64 { return float64(h.broken.Load()) }),
		telemetry.Gauge("fairway_ledger_verified_timestamp_seconds", "When a server last looked at all chains of the ledger; 0 is never.",
			func() float64 { return float64(h.verified.Load()) }),
	}
}

// verify looks at all chains of the ledger, and says which are broken.
func (h *housekeeping) verify(ctx context.Context) (int64, error) {
	broken, err := h.control.VerifyAll(ctx)
	if err != nil {
		return 0, err
	}
	for _, v := range broken {
		h.log.Error("The history of a release was changed outside of Fairway.", "release", v.Release, "error", v.Broken)
	}
	return int64(len(broken)), nil
}

// known takes over what a server has found.
func (h *housekeeping) known(c drive.Chore) {
	h.broken.Store(c.Found)
	if !c.Done.IsZero() {
		h.verified.Store(c.Done.Unix())
	}
}

// retain removes what is too old.
func (h *housekeeping) retain(ctx context.Context, keep release.Retention) (int64, error) {
	var all release.Removed
	err := h.control.Retain(ctx, keep, func(r release.Removed) {
		h.removed.WithLabelValues("samples").Add(float64(r.Samples))
		h.removed.WithLabelValues("events").Add(float64(r.Events))
		all.Samples, all.Events, all.Releases = all.Samples+r.Samples, all.Events+r.Events, all.Releases+r.Releases
	})
	if all != (release.Removed{}) {
		h.log.Info("Old samples and histories were removed.", "samples", all.Samples, "events", all.Events, "releases", all.Releases)
	}
	return int64(all.Releases), err
}

// retainEvery is how often a server looks for what is too old.
const retainEvery = time.Hour

// housekeepingDelay leaves the first minute of a server to its releases.
const housekeepingDelay = time.Minute

// lookAgain is when a server may try again what did not come to its end, be it that it
// failed or that the server that did it was killed.
const lookAgain = time.Hour

// verifyWork is the name under which servers share the look at the ledger.
const verifyWork = "verify the ledger"

// run does both again and again until ctx ends, where no other server does.
func (h *housekeeping) run(ctx context.Context, verifyEvery time.Duration, keep release.Retention) {
	looks := []look{{work: verifyWork, every: verifyEvery, do: h.verify, known: h.known}}
	if keep != (release.Retention{}) {
		looks = append(looks, look{
			work: "remove what is old", every: retainEvery, known: func(drive.Chore) {},
			do: func(ctx context.Context) (int64, error) { return h.retain(ctx, keep) },
		})
	}
	timer := time.NewTicker(housekeepingDelay)
	defer timer.Stop()
	for do := false; ; do = true { // what is known is shown from the start
		for _, l := range looks {
			h.see(ctx, l, do && l.every > 0)
		}
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
	}
}

// look is one thing that is done every so often; 0 is never.
type look struct {
	work  string
	every time.Duration
	// do returns what it has found, and known is told what any server has.
	do    func(context.Context) (int64, error)
	known func(drive.Chore)
}

// see takes over what is known of the work and, where that is wanted, does it if it is due.
func (h *housekeeping) see(ctx context.Context, l look, do bool) {
	err := func() error {
		c, due, err := h.rota.look(ctx, l.work)
		if err != nil {
			return err
		}
		l.known(c)
		if !do || !due {
			return nil
		}
		if mine, err := h.rota.claim(ctx, l.work, min(l.every, lookAgain)); err != nil || !mine {
			return err
		}
		found, err := l.do(ctx)
		if err == nil {
			err = h.rota.done(ctx, l.work, l.every, found)
		}
		if err == nil {
			l.known(drive.Chore{Done: h.rota.now(), Found: found})
		}
		return err
	}()
	if err != nil && ctx.Err() == nil {
		h.log.Error("Housekeeping failed.", "work", l.work, "error", err)
	}
}

// period is a flag's duration that may be given in days: "90d".
type period struct{ to *time.Duration }

func (p period) String() string {
	if p.to == nil || *p.to == 0 {
		return "0"
	}
	return pipeline.Duration(*p.to).String()
}

func (p period) Type() string { return "duration" }

func (p period) Set(text string) error {
	d, err := pipeline.ParseDuration(text)
	*p.to = d.Std()
	return err
}
