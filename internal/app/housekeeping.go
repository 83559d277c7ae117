package app

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/release"
	"github.com/fairwayhq/fairway/internal/telemetry"
)

// housekeeping is what a server does beside releases: it verifies the ledger, and removes
// what is older than it has to keep.
type housekeeping struct {
	control *release.Control
	log     *slog.Logger
	now     func() time.Time

	broken   atomic.Int64
	verified atomic.Int64 // the end of the last look at all chains, in Unix seconds
	removed  *prometheus.CounterVec
}

func newHousekeeping(control *release.Control, log *slog.Logger, now func() time.Time) *housekeeping {
	h := &housekeeping{control: control, log: log, now: now, removed: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "fairway_retention_removed_total", Help: "What was removed because it was old: samples, and lines of the ledger.",
	}, []string{"what"})}
	h.verified.Store(now().Unix()) // the first look comes in a moment
	for _, what := range []string{"samples", "events"} {
		h.removed.WithLabelValues(what)
	}
	return h
}

func (h *housekeeping) collectors() []prometheus.Collector {
	return []prometheus.Collector{
		h.removed,
		telemetry.Gauge("fairway_ledger_broken_chains", "Releases whose history was changed outside of Fairway, at the last look.",
			func() float64 { return float64(h.broken.Load()) }),
		telemetry.Gauge("fairway_ledger_verified_timestamp_seconds", "When this server last looked at all chains of the ledger, or started.",
			func() float64 { return float64(h.verified.Load()) }),
	}
}

// verify looks at all chains of the ledger, and says which are broken.
func (h *housekeeping) verify(ctx context.Context) error {
	broken, err := h.control.VerifyAll(ctx)
	if err != nil {
		return err
	}
	for _, v := range broken {
		h.log.Error("The history of a release was changed outside of Fairway.", "release", v.Release, "error", v.Broken)
	}
	h.broken.Store(int64(len(broken)))
	h.verified.Store(h.now().Unix())
	return nil
}

// retain removes what is too old.
func (h *housekeeping) retain(ctx context.Context, keep release.Retention) error {
	var all release.Removed
	err := h.control.Retain(ctx, keep, func(r release.Removed) {
		h.removed.WithLabelValues("samples").Add(float64(r.Samples))
		h.removed.WithLabelValues("events").Add(float64(r.Events))
		all.Samples, all.Events, all.Releases = all.Samples+r.Samples, all.Events+r.Events, all.Releases+r.Releases
	})
	if all != (release.Removed{}) {
		h.log.Info("Old samples and histories were removed.", "samples", all.Samples, "events", all.Events, "releases", all.Releases)
	}
	return err
}

// retainEvery is how often a server looks for what is too old.
const retainEvery = time.Hour

// housekeepingDelay leaves the first minute of a server to its releases.
const housekeepingDelay = time.Minute

// run does both again and again until ctx ends, where no other server does.
func (h *housekeeping) run(ctx context.Context, verifyEvery time.Duration, keep release.Retention, mine chore) {
	looks := map[string]*look{}
	if verifyEvery > 0 {
		looks["verify the ledger"] = &look{every: verifyEvery, do: h.verify}
	}
	if keep != (release.Retention{}) {
		looks["remove what is old"] = &look{every: retainEvery, do: func(ctx context.Context) error { return h.retain(ctx, keep) }}
	}
	if len(looks) == 0 {
		return
	}
	timer := time.NewTicker(housekeepingDelay)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		for work, l := range looks {
			if time.Since(l.last) < l.every {
				continue
			}
			due, err := mine(ctx, work, l.every)
			if err == nil {
				l.last = time.Now()
			}
			if err == nil && due {
				err = l.do(ctx)
			}
			if err != nil && ctx.Err() == nil {
				h.log.Error("Housekeeping failed.", "work", work, "error", err)
			}
		}
	}
}

// look is one thing that is done every so often.
type look struct {
	every time.Duration
	last  time.Time
	do    func(context.Context) error
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
