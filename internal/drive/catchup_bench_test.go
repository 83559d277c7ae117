package drive_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/store"
	"github.com/fairwayhq/fairway/internal/store/storetest"
	"github.com/fairwayhq/fairway/test/stores"
)

// BenchmarkCatchUp measures for how long a server that starts after an outage makes up for
// it with ten thousand releases, before it answers.
func BenchmarkCatchUp(b *testing.B) {
	for _, kind := range stores.Kinds {
		b.Run(kind.Name, func(b *testing.B) { catchUp(b, kind.Open(b)) })
	}
}

func catchUp(b *testing.B, st store.Store) {
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	quiet := drive.Config{Store: st.Drive(), Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler)}
	storetest.Crowd(b, st.Release(), drive.New(quiet), now)
	if err := st.Drive().Update(b.Context(), func(tx drive.Tx) error { return tx.NoteAlive(now) }); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		now = now.Add(time.Hour) // an outage each time
		if err := drive.New(quiet).CatchUp(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
