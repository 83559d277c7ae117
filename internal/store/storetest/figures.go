package storetest

import (
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/release"
)

func counts(t *testing.T, s Store) {
	for _, id := range []string{"r1", "r2", "r3", "r4"} {
		s.addRelease(t, id, "shop")
	}
	s.update(t, func(tx release.Tx) error {
		for id, state := range map[string]pipeline.RunState{"r2": pipeline.RunRunning, "r3": pipeline.RunRunning, "r4": pipeline.RunSucceeded} {
			rec, err := tx.LoadRun(id)
			if err != nil {
				return err
			}
			if rec.Run.State = state; state.Final() {
				rec.Run.EndedAt = day
			}
			rec.Seq, rec.Hash = 3, "h"
			if err := tx.SaveRun(rec, time.Time{}); err != nil {
				return err
			}
		}
		for i, row := range []drive.TaskRow{
			{LeaseUntil: at(20)},
			{LeaseUntil: at(10), NotBefore: at(5)},
			{NotBefore: at(-60)},
			{NotBefore: at(-3600), LeaseUntil: at(-120)}, // its worker has been silent since
			{NotBefore: at(1)},
			{Environment: "staging", NotBefore: at(1)},
		} {
			row.Release, row.Entry, row.ID, row.Service = "r1", string(rune('a'+i)), string(rune('a'+i)), "shop"
			if row.Environment == "" {
				row.Environment = "production"
			}
			if err := tx.PutTask(row); err != nil {
				return err
			}
		}
		return nil
	})
	equal(t, "releases", get(t, s, func(tx release.Tx) (map[pipeline.RunState]int, error) { return tx.CountReleases() }),
		map[pipeline.RunState]int{pipeline.RunPending: 1, pipeline.RunRunning: 2})
	equal(t, "going", get(t, s, func(tx release.Tx) (map[string]int64, error) { return tx.Going() }),
		map[string]int64{"r1": 0, "r2": 3, "r3": 3})
	equal(t, "tasks", get(t, s, func(tx release.Tx) (map[string]release.TaskFigures, error) { return tx.CountTasks(at(0)) }),
		map[string]release.TaskFigures{
			"production": {Leased: 2, Waiting: 2, Later: 1, WaitingFor: 2 * time.Minute, LeaseLeft: 10 * time.Second},
			"staging":    {Later: 1},
		})
}

func countMessages(t *testing.T, s Store) {
	want := func(messages int, at time.Time) {
		t.Helper()
		s.view(t, func(tx release.Tx) error {
			n, oldest, err := tx.CountMessages()
			if n != messages || !oldest.Equal(at) {
				t.Errorf("%d messages, the oldest of %s; want %d of %s", n, oldest, messages, at)
			}
			return err
		})
	}
	want(0, time.Time{})
	id := func(at time.Time) string { return ulid.MustNew(ulid.Timestamp(at), ulid.DefaultEntropy()).String() }
	s.update(t, func(tx release.Tx) error {
		if err := tx.PutMessage(drive.Message{ID: id(at(60)), NotBefore: at(0)}); err != nil {
			return err
		}
		return tx.PutMessage(drive.Message{ID: id(at(0)), NotBefore: at(900)})
	})
	want(2, at(0).Truncate(time.Millisecond))
}
