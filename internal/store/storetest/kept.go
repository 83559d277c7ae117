package storetest

import (
	"errors"
	"maps"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/release"
)

// tasksInOneUpdate puts, deletes and reads tasks in any order: an update sees its own changes
// and leaves them, and one that fails leaves nothing.
func tasksInOneUpdate(t *testing.T, s Store) {
	s.addRelease(t, "r1", "shop")
	stored := taskModel{}
	left := 0
	rapid.Check(t, func(rt *rapid.T) {
		now := maps.Clone(stored)
		fails := rapid.IntRange(0, 4).Draw(rt, "fails") == 0
		err := s.Release.Update(t.Context(), func(tx release.Tx) error {
			for range rapid.IntRange(1, 6).Draw(rt, "steps") {
				if err := now.step(rt, tx); err != nil {
					return err
				}
			}
			if fails {
				return errNo
			}
			return nil
		})
		switch {
		case fails && errors.Is(err, errNo):
		case err != nil || fails:
			rt.Fatalf("the update ended with %v", err)
		default:
			stored = now
			left += len(stored)
		}
		get(t, s, func(tx release.Tx) (bool, error) {
			for _, entry := range entries {
				stored.same(rt, tx, entry)
			}
			return true, nil
		})
	})
	if left == 0 {
		t.Error("no task was left by any update")
	}
}

var (
	errNo   = fault.Errorf(fault.Conflict, "no")
	entries = []string{"a", "b", "c"}
)

// taskModel is what the tasks should be, by entry.
type taskModel map[string]drive.TaskRow

func (m taskModel) step(rt *rapid.T, tx release.Tx) error {
	entry := rapid.SampledFrom(entries).Draw(rt, "entry")
	switch rapid.SampledFrom([]string{"put", "put", "delete", "load", "held"}).Draw(rt, "step") {
	case "put":
		m[entry] = drive.TaskRow{Release: "r1", Entry: entry,
			ID: rapid.StringMatching("[a-z]{3}").Draw(rt, "id"), Holder: rapid.SampledFrom([]string{"", "one"}).Draw(rt, "holder")}
		return tx.PutTask(m[entry])
	case "delete":
		delete(m, entry)
		return tx.DeleteTask("r1", entry)
	case "load":
		m.same(rt, tx, entry)
	case "held":
		held, err := tx.HeldTasks("one")
		if err != nil {
			return err
		}
		for _, row := range m {
			if row.Holder == "" {
				continue
			}
			if len(held) == 0 || !reflect.DeepEqual(held[0], m[held[0].Entry]) {
				rt.Fatalf("held are %+v of %+v", held, m)
			}
			held = held[1:]
		}
		if len(held) > 0 {
			rt.Fatalf("%+v are held, too", held)
		}
	}
	return nil
}

func (m taskModel) same(rt *rapid.T, tx release.Tx, entry string) {
	got, err := tx.LoadTask("r1", entry)
	want, there := m[entry]
	if there != (err == nil) || !there && fault.CodeOf(err) != fault.NotFound || !reflect.DeepEqual(got, want) {
		rt.Fatalf("the task of %s is %+v (%v), want %+v", entry, got, err, want)
	}
}
