package drive_test

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/release"
	"github.com/fairwayhq/fairway/internal/store"
	"github.com/fairwayhq/fairway/test/postgres"
)

// Ten thousand releases go on: one of each service is carried out, nine wait for a person.
const (
	crowdServices = 1000
	crowdReleases = 10
)

// BenchmarkCatchUp measures for how long a server that starts after an outage makes up for
// it, before it answers.
func BenchmarkCatchUp(b *testing.B) {
	b.Run("sqlite", func(b *testing.B) {
		st, err := store.Open(b.Context(), store.Config{Path: filepath.Join(b.TempDir(), "fairway.db")})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { st.Close() })
		catchUp(b, st)
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
		catchUp(b, st)
	})
}

func catchUp(b *testing.B, st store.Store) {
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	quiet := drive.Config{Store: st.Drive(), Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler)}
	crowd(b, st, drive.New(quiet), now)
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

// crowd stores the releases and begins them.
func crowd(b *testing.B, st store.Store, d *drive.Drive, now time.Time) {
	waits := strings.Replace(oneStage, "[{deploy", "[{approval: {roles: [sre]}}, {deploy", 1)
	for s := range crowdServices {
		err := st.Release().Update(context.Background(), func(tx release.Tx) error {
			if err := tx.Turn(fmt.Sprintf("shop%d", s)); err != nil {
				return err
			}
			for n := range crowdReleases {
				definition := waits
				if n == 0 {
					definition = oneStage
				}
				def, faults := pipeline.Parse("fairway.yaml", []byte(strings.Replace(definition, "service: shop", fmt.Sprintf("service: shop%d", s), 1)))
				if len(faults) > 0 {
					return fmt.Errorf("%v", faults)
				}
				plan, err := pipeline.Compile(def, pipeline.Request{Version: fmt.Sprint("v", n), Artifact: "./shop", Digest: fmt.Sprintf("sha256:%064d", s*crowdReleases+n)})
				if err != nil {
					return err
				}
				rel := release.Release{
					ID: fmt.Sprintf("rel%06d-%d", s, n), Service: plan.Service, Version: plan.Component.Version, Digest: plan.Component.Digest,
					Author: "anna", PlanHash: plan.Hash(), CreatedAt: now, Definition: definition,
				}
				if err := tx.AddRelease(rel, plan, pipeline.NewRun(plan, "anna", now)); err != nil {
					return err
				}
				if _, err := d.Start(tx, rel.ID, "anna"); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}
