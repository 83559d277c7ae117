package storetest

import (
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/ledger"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/release"
	"github.com/fairwayhq/fairway/internal/stage"
)

// ended adds a release with three lines and three points, whose run ended at the instant; a
// zero one goes on.
func (s Store) ended(t *testing.T, id string, end time.Time) {
	t.Helper()
	s.addRelease(t, id, "shop")
	s.update(t, func(tx release.Tx) error {
		rec, err := tx.LoadRun(id)
		if err != nil {
			return err
		}
		var head ledger.Head
		for _, text := range []string{"one", "two", "three"} {
			if err := tx.AppendEvents(line(t, &head, id, text)); err != nil {
				return err
			}
		}
		rec.Seq, rec.Hash, rec.Run.EndedAt = head.Seq, head.Hash, end
		if !end.IsZero() {
			rec.Run.State = pipeline.RunSucceeded
		}
		if err := tx.SaveRun(rec, time.Time{}); err != nil {
			return err
		}
		return tx.AppendPoints(id, "production", "canary", make([]stage.Point, 3))
	})
}

// pastReleases finds what is old, and nothing else.
func pastReleases(t *testing.T, s Store) {
	s.ended(t, "r1", at(10))
	s.ended(t, "r2", at(10)) // at home
	s.ended(t, "r3", time.Time{})
	s.ended(t, "r4", at(30))
	s.ended(t, "r5", at(20))
	s.update(t, func(tx release.Tx) error { return tx.SetHome("shop/production", "r2") })
	found := func(f func(tx release.Tx) ([]string, error)) string { return joined(get(t, s, f)) }
	equal(t, "samples before", found(func(tx release.Tx) ([]string, error) { return tx.PastSamples(at(30), 10) }), "r1 r5")
	equal(t, "events before", found(func(tx release.Tx) ([]string, error) { return tx.PastEvents(at(30), 10) }), "r1 r5")
	equal(t, "the first of them", found(func(tx release.Tx) ([]string, error) { return tx.PastEvents(at(31), 1) }), "r1")

	var points, lines [2]int64
	s.update(t, func(tx release.Tx) (err error) {
		for i := range points {
			if points[i], err = tx.RemovePoints("r1", 2); err != nil {
				return err
			}
		}
		for i, upTo := range []int64{2, 3} {
			if lines[i], err = tx.RemoveEvents("r1", upTo); err != nil {
				return err
			}
		}
		return nil
	})
	equal(t, "points removed in two batches", points, [2]int64{2, 1})
	equal(t, "lines removed", lines, [2]int64{2, 1})
	equal(t, "samples that are left", found(func(tx release.Tx) ([]string, error) { return tx.PastSamples(at(30), 10) }), "r5")
	equal(t, "events that are left", found(func(tx release.Tx) ([]string, error) { return tx.PastEvents(at(30), 10) }), "r5")
	s.view(t, func(tx release.Tx) error {
		left, err := tx.LoadEvents("r5", 0, 0)
		equal(t, "lines of another release", len(left), 3)
		return err
	})
}

// retention removes what is old of a real store, and the ledger is whole afterwards.
func retention(t *testing.T, s Store) {
	const id = "01m8kp000000000000000000"
	const old, home, going, young = id + "01", id + "02", id + "03", id + "04"
	s.ended(t, old, at(10))
	s.ended(t, home, at(10))
	s.ended(t, going, time.Time{})
	s.ended(t, young, at(1000))
	s.update(t, func(tx release.Tx) error { return tx.SetHome("shop/production", home) })
	c := release.New(release.Config{
		Store: s.Release, Drive: drive.New(drive.Config{Store: s.Drive}), Now: func() time.Time { return at(1100) },
	})
	var all release.Removed
	keep := release.Retention{Samples: 500 * time.Second, Events: 600 * time.Second}
	for range 2 { // the second time there is nothing to remove
		err := c.Retain(t.Context(), keep, func(r release.Removed) {
			all.Samples, all.Events, all.Releases = all.Samples+r.Samples, all.Events+r.Events, all.Releases+r.Releases
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	equal(t, "removed", all, release.Removed{Samples: 3, Events: 3, Releases: 1})
	for id, lines := range map[string]int64{old: 4, home: 3, going: 3, young: 3} {
		v, err := c.Verify(t.Context(), id)
		if err != nil || v.Broken != "" || v.Lines != lines || (v.Removed != "") != (id == old) {
			t.Errorf("verifying %s: %+v, %v", id, v, err)
		}
		s.view(t, func(tx release.Tx) error {
			points, err := tx.LoadPoints(id, "", 0, 0)
			equal(t, "samples of "+id+" are there", len(points) > 0, id != old)
			return err
		})
	}
	broken, err := c.VerifyAll(t.Context())
	if err != nil || len(broken) != 0 {
		t.Errorf("the whole ledger: %+v, %v", broken, err)
	}

	// The line that is left is as safe as those were: without it the chain is broken.
	s.update(t, func(tx release.Tx) error {
		_, err := tx.RemoveEvents(old, 4)
		return err
	})
	if broken, err = c.VerifyAll(t.Context()); err != nil || len(broken) != 1 || broken[0].Release != old {
		t.Errorf("without the line that is left: %+v, %v", broken, err)
	}
}
