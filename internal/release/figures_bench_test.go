package release_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/release"
	"github.com/fairwayhq/fairway/internal/store"
	"github.com/fairwayhq/fairway/internal/store/storetest"
	"github.com/fairwayhq/fairway/test/stores"
)

// BenchmarkFigures measures what a scrape of the metrics reads with ten thousand releases,
// and the look for those that wait for a person.
func BenchmarkFigures(b *testing.B) {
	for _, kind := range stores.Kinds {
		b.Run(kind.Name, func(b *testing.B) { figures(b, kind.Open(b)) })
	}
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
