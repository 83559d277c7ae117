package telemetry

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/release"
)

// Store measures the transactions of a store.
type Store struct {
	seconds *prometheus.HistogramVec
	errors  *prometheus.CounterVec
}

// NewStore returns a collector that has measured nothing.
func NewStore() *Store {
	s := &Store{
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "fairway_store_transaction_duration_seconds", Help: "How long transactions took, with their wait and their commit; kind is update or view.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10}}, []string{"kind"}),
		errors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "fairway_store_errors_total", Help: "Transactions that failed because of the store: it was not reachable, full, damaged, or wrong."}, []string{"kind", "code"}),
	}
	for _, kind := range []string{"update", "view"} { // a rate needs the zero that it begins with
		for _, code := range []fault.Code{fault.Unavailable, fault.Internal} {
			s.errors.WithLabelValues(kind, string(code))
		}
	}
	return s
}

// Describe and Collect make it a collector.
func (s *Store) Describe(ch chan<- *prometheus.Desc) {
	s.seconds.Describe(ch)
	s.errors.Describe(ch)
}

// Collect gives what was measured.
func (s *Store) Collect(ch chan<- prometheus.Metric) {
	s.seconds.Collect(ch)
	s.errors.Collect(ch)
}

// Drive measures a store of package drive.
func (s *Store) Drive(store drive.Store) drive.Store { return measuredDrive{store, s} }

// Release measures a store of package release.
func (s *Store) Release(store release.Store) release.Store { return measuredRelease{store, s} }

type measuredDrive struct {
	drive.Store
	s *Store
}

func (m measuredDrive) Update(ctx context.Context, f func(drive.Tx) error) error {
	return m.s.measure(ctx, "update", func() error { return m.Store.Update(ctx, f) })
}

func (m measuredDrive) View(ctx context.Context, f func(drive.Tx) error) error {
	return m.s.measure(ctx, "view", func() error { return m.Store.View(ctx, f) })
}

type measuredRelease struct {
	release.Store
	s *Store
}

func (m measuredRelease) Update(ctx context.Context, f func(release.Tx) error) error {
	return m.s.measure(ctx, "update", func() error { return m.Store.Update(ctx, f) })
}

func (m measuredRelease) View(ctx context.Context, f func(release.Tx) error) error {
	return m.s.measure(ctx, "view", func() error { return m.Store.View(ctx, f) })
}

// measure counts as the store's errors what nobody could have asked better: a caller who gave
// up, or who asked for what is not there, is none.
func (s *Store) measure(ctx context.Context, kind string, transact func() error) error {
	began := time.Now()
	err := transact()
	s.seconds.WithLabelValues(kind).Observe(time.Since(began).Seconds())
	if code := fault.CodeOf(err); err != nil && ctx.Err() == nil && (code == fault.Unavailable || code == fault.Internal) {
		s.errors.WithLabelValues(kind, string(code)).Inc()
	}
	return err
}
