package release_test

import (
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/release"
	"github.com/fairwayhq/fairway/internal/store"
	"github.com/fairwayhq/fairway/internal/store/storetest"
	"github.com/fairwayhq/fairway/test/postgres"
)

// BenchmarkFigures measures what a scrape of the metrics reads with ten thousand releases,
// and the look for those that wait for a person.
func BenchmarkFigures(b *testing.B) {
	b.Run("sqlite", func(b *testing.B) {
		st, err := store.Open(b.Context(), store.Config{Path: filepath.Join(b.TempDir(), "fairway.db")})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { st.Close() })
		figures(b, st)
	})
	b.Run("postgres", func(b *testing.B) {
		url, err := postgres.ForTest(b).Create("crowd")
		if err != nil {
			b.Fatal(err)
		}
		st, err := store.OpenPostgres(b.Context(), store.PostgresConfig{URL: url, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { st.Close() })
		figures(b, st)
	})
}

func figures(b *testing.B, st store.Store) {
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	d := drive.New(drive.Config{Store: st.Drive(), Now: clock, Log: slog.New(slog.DiscardHandler)})
	storetest.Crowd(b, st.Release(), d, now)
	control := release.New(release.Config{Store: st.Release(), Drive: d, Now: clock})
	b.Run("scrape", func(b *testing.B) {
		for b.Loop() {
			if _, err := control.Figures(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("persons", func(b *testing.B) {
		for b.Loop() {
			if err := control.LookForPersons(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	})
}
