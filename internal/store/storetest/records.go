package storetest

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/ledger"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/release"
	"github.com/fairwayhq/fairway/internal/stage"
)

func eventRoundTrip(t *testing.T, s Store) {
	events := []ledger.Event{
		{Release: "r1", At: day, Kind: "created", Actor: "ann", Text: "naïve <\x00> 'quoted'", Data: []byte(`{"b": [1, 2],  "a":"<"}`)},
		{Release: "r1", At: day.In(time.FixedZone("X", 3600)), Kind: "stage.passed", Actor: "fairway", Environment: "staging", Stage: "check"},
		{Release: "r1", At: at(1), Kind: "null", Data: []byte("null")},
	}
	lines, head, err := ledger.Append(ledger.Head{}, events...)
	if err != nil {
		t.Fatal(err)
	}
	s.update(t, func(tx release.Tx) error { return tx.AppendEvents(lines) })
	s.view(t, func(tx release.Tx) error {
		got, err := tx.LoadEvents("r1", 0, 0)
		equal(t, "lines", got, lines)
		if err := ledger.VerifyTo(got, head); err != nil {
			t.Error(err)
		}
		return err
	})
	s.view(t, func(tx release.Tx) error {
		got, err := tx.LoadEvents("r1", 1, 1)
		equal(t, "a page of lines", got, lines[1:2])
		return err
	})
	for actor, want := range map[string][]ledger.Event{"fairway": lines[1:2], "": lines[2:], "bob": nil} {
		equal(t, "the lines of "+actor, get(t, s, func(tx release.Tx) ([]ledger.Event, error) { return tx.LinesBy("r1", actor) }), want)
	}
}

func eventOnce(t *testing.T, s Store) {
	var head ledger.Head
	first := line(t, &head, "r1", "one")
	s.update(t, func(tx release.Tx) error { return tx.AppendEvents(first) })
	err := s.Release.Update(t.Context(), func(tx release.Tx) error { return tx.AppendEvents(first) })
	wantCode(t, "AppendEvents again", err, fault.Conflict)
}

func recentEvents(t *testing.T, s Store) {
	heads := map[string]*ledger.Head{"r1": {}, "r2": {}}
	for i, id := range []string{"r1", "r2", "r1", "r1", "r2"} {
		s.update(t, func(tx release.Tx) error { return tx.AppendEvents(line(t, heads[id], id, fmt.Sprint(i))) })
	}
	equal(t, "chains", joined(get(t, s, release.Tx.Chains)), "r1 r2")
	var texts string
	var after int64
	s.view(t, func(tx release.Tx) error {
		for {
			lines, last, err := tx.RecentEvents(after, 2)
			if err != nil || len(lines) == 0 {
				equal(t, "number where nothing follows", last, after)
				return err
			}
			for _, l := range lines {
				texts += l.Text
			}
			after = last
		}
	})
	equal(t, "texts in the order in which they were written", texts, "01234")
}

func evidence(t *testing.T, s Store) {
	facts := []pipeline.Evidence{
		{ID: "e2", Digest: "d", Kind: "scan", Name: "x", Status: "failed", At: at(1), By: "ci", URL: "http://x", Data: map[string]any{"high": 2.0}},
		{ID: "e1", Digest: "d", Kind: "tests", Status: "passed", At: at(2), By: "ci"},
	}
	s.update(t, func(tx release.Tx) error {
		for _, e := range []pipeline.Evidence{facts[1], facts[0], {ID: "e3", Digest: "other", At: day}, facts[1]} {
			if err := tx.AddEvidence(e); err != nil {
				return err
			}
		}
		return nil
	})
	equal(t, "evidence", get(t, s, func(tx release.Tx) ([]pipeline.Evidence, error) { return tx.Evidence("d") }), facts)
	err := s.Release.Update(t.Context(), func(tx release.Tx) error { return tx.AddEvidence(pipeline.Evidence{Digest: "d"}) })
	wantCode(t, "AddEvidence without an ID", err, fault.Internal)
}

func outbox(t *testing.T, s Store) {
	one := drive.Message{ID: "m1", Release: "r1", Webhook: "http://x", Body: []byte(`{"a":1}`), NotBefore: at(5)}
	two := drive.Message{ID: "m2", NotBefore: at(1)}
	due := func(now time.Time, limit int) []drive.Message {
		return get(t, s, func(tx release.Tx) ([]drive.Message, error) { return tx.DueMessages(now, limit) })
	}
	s.update(t, func(tx release.Tx) error {
		if err := tx.PutMessage(one); err != nil {
			return err
		}
		return tx.PutMessage(two)
	})
	equal(t, "due before all", due(at(0), 9), []drive.Message(nil))
	equal(t, "due first", due(at(4), 9), []drive.Message{two})
	equal(t, "due both", due(at(5), 9), []drive.Message{two, one})
	equal(t, "due with a limit", due(at(5), 1), []drive.Message{two})
	two.Attempts, two.NotBefore = 3, at(60)
	s.update(t, func(tx release.Tx) error { return tx.PutMessage(two) })
	equal(t, "due while one waits again", due(at(5), 9), []drive.Message{one})
	s.update(t, func(tx release.Tx) error { return tx.MoveMessage("m1", at(5), at(9)) })
	one.NotBefore = at(9)
	equal(t, "due before the moved one", due(at(8), 9), []drive.Message(nil))
	equal(t, "due with the moved one", due(at(9), 1), []drive.Message{one})
	for id, former := range map[string]time.Time{"m1": at(5), "none": at(9)} {
		err := s.Release.Update(t.Context(), func(tx release.Tx) error { return tx.MoveMessage(id, former, at(1)) })
		wantCode(t, "MoveMessage of "+id+" from another time", err, fault.Conflict)
	}
	s.update(t, func(tx release.Tx) error { return tx.DeleteMessage("m1") })
	equal(t, "due after the delivery", due(at(60), 9), []drive.Message{two})
}

// pointRoundTrip draws every field of a point, so one that a store forgets is found.
func pointRoundTrip(t *testing.T, s Store) {
	s.addRelease(t, "r1", "shop")
	var after int64
	rapid.Check(t, func(rt *rapid.T) {
		points := rapid.SliceOfN(pointGen(), 1, 4).Draw(rt, "points")
		err := s.Drive.Update(t.Context(), func(tx drive.Tx) error { return tx.AppendPoints("r1", "staging", "canary", points) })
		if err != nil {
			rt.Fatal(err)
		}
		found := get(t, s, func(tx release.Tx) ([]release.SampledPoint, error) { return tx.LoadPoints("r1", "staging", after, 0) })
		var got []stage.Point
		for _, p := range found {
			if p.Environment != "staging" || p.Stage != "canary" || p.ID <= after {
				rt.Fatalf("a point is placed at %s, %s with ID %d after %d", p.Environment, p.Stage, p.ID, after)
			}
			after = p.ID
			got = append(got, p.Point)
		}
		equal(t, "points", got, points)
		if t.Failed() {
			rt.FailNow()
		}
	})
}

// pointGen fills all fields by reflection, so also one that is added to the type later.
func pointGen() *rapid.Generator[stage.Point] {
	return rapid.MakeCustom[stage.Point](rapid.MakeConfig{Types: map[reflect.Type]*rapid.Generator[any]{
		reflect.TypeFor[float64]():   rapid.Float64Range(-1e300, 1e300).AsAny(),
		reflect.TypeFor[time.Time](): rapid.Map(rapid.Int64Range(1, 4e18), func(n int64) time.Time { return time.Unix(0, n).UTC() }).AsAny(),
	}})
}

func pointPages(t *testing.T, s Store) {
	s.addRelease(t, "r1", "shop")
	s.addRelease(t, "r2", "shop")
	s.update(t, func(tx release.Tx) error {
		for i, place := range [][2]string{{"r1", "staging"}, {"r1", "production"}, {"r2", "staging"}, {"r1", "staging"}} {
			if err := tx.AppendPoints(place[0], place[1], "canary", []stage.Point{{Evidence: float64(i)}}); err != nil {
				return err
			}
		}
		return nil
	})
	read := func(environment string, after int64, limit int) (all []float64, last int64) {
		for _, p := range get(t, s, func(tx release.Tx) ([]release.SampledPoint, error) {
			return tx.LoadPoints("r1", environment, after, limit)
		}) {
			all, last = append(all, p.Evidence), p.ID
		}
		return all, last
	}
	first, last := read("staging", 0, 1)
	equal(t, "first page", first, []float64{0})
	second, _ := read("staging", last, 5)
	equal(t, "second page", second, []float64{3})
	all, _ := read("", 0, 0)
	equal(t, "points of all environments", all, []float64{0, 1, 3})
	err := s.Drive.Update(t.Context(), func(tx drive.Tx) error { return tx.AppendPoints("none", "staging", "canary", []stage.Point{{}}) })
	wantCode(t, "AppendPoints of no release", err, fault.NotFound)
}

func earlyPoints(t *testing.T, s Store) {
	for _, r := range []struct {
		id, service, environment string
		state                    pipeline.RunState
	}{
		{"r1", "shop", "staging", pipeline.RunSucceeded},
		{"r2", "shop", "staging", pipeline.RunRolledBack},
		{"r3", "search", "staging", pipeline.RunSucceeded},
		{"r4", "shop", "production", pipeline.RunSucceeded},
		{"r5", "shop", "staging", pipeline.RunSucceeded},
		{"r6", "shop", "staging", pipeline.RunSucceeded},
	} {
		s.addRelease(t, r.id, r.service)
		s.update(t, func(tx release.Tx) error {
			rec, err := tx.LoadRun(r.id)
			if err != nil {
				return err
			}
			rec.Run.State = r.state
			if err := tx.SaveRun(rec, day); err != nil {
				return err
			}
			first := float64(r.id[1] - '0')
			return tx.AppendPoints(r.id, r.environment, "canary", []stage.Point{{Evidence: first}, {Evidence: first + 0.5}})
		})
	}
	early := func(before string, releases, points int) (all [][]float64) {
		row := drive.TaskRow{Release: before, Service: "shop", Entry: "staging", Environment: "staging"}
		for _, one := range get(t, s, func(tx release.Tx) ([][]stage.Point, error) { return tx.EarlyPoints(row, releases, points) }) {
			var evidence []float64
			for _, p := range one {
				evidence = append(evidence, p.Evidence)
			}
			all = append(all, evidence)
		}
		return all
	}
	equal(t, "all before the last", early("r6", 9, 9), [][]float64{{5, 5.5}, {1, 1.5}})
	equal(t, "the first point of the last one", early("r6", 1, 1), [][]float64{{5}})
	equal(t, "none before the first", early("r1", 9, 9), [][]float64(nil))
}
