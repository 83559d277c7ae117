package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/judge"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/release"
	"github.com/fairwayhq/fairway/internal/stage"
)

// digests of the artifacts of other services.
var others = map[string]string{
	"payments": "sha256:1111111111111111111111111111111111111111111111111111111111111111",
	"ledger":   "sha256:2222222222222222222222222222222222222222222222222222222222222222",
	"twin":     "sha256:1111111111111111111111111111111111111111111111111111111111111111", // of payments
}

// addTogether adds a release of the service with the others.
func (s Store) addTogether(t testing.TB, id, service string, with ...string) {
	t.Helper()
	p := Plan(service)
	for _, name := range with {
		p.With = append(p.With, pipeline.Component{Service: name, Version: "v3", Artifact: "builds/" + name, Digest: others[name]})
	}
	r := release.Release{ID: id, Service: service, Version: "v2", Artifact: p.Component.Artifact, Digest: p.Component.Digest, Author: "ann", CreatedAt: day}
	s.update(t, func(tx release.Tx) error { return tx.AddRelease(r, p, pipeline.NewRun(p, "ann", day)) })
}

func together(t *testing.T, s Store) {
	s.addRelease(t, "r1", "payments")
	s.addTogether(t, "r2", "shop", "ledger", "payments")
	s.addRelease(t, "r3", "shop")
	s.addTogether(t, "r4", "till", "payments")

	r := get(t, s, func(tx release.Tx) (release.Release, error) { return tx.LoadRelease("r2") })
	equal(t, "components", r.With, []release.Component{
		{Service: "ledger", Version: "v3", Artifact: "builds/ledger", Digest: others["ledger"]},
		{Service: "payments", Version: "v3", Artifact: "builds/payments", Digest: others["payments"]},
	})
	equal(t, "services", joined(get(t, s, release.Tx.Services)), "ledger payments shop till")
	for service, want := range map[string]string{"shop": "r3 r2", "payments": "r4 r2 r1", "ledger": "r2", "till": "r4", "none": ""} {
		found := get(t, s, func(tx release.Tx) ([]release.Summary, error) {
			return tx.ListReleases(release.Filter{Service: service})
		})
		var ids []string
		for _, one := range found {
			ids = append(ids, one.ID)
		}
		equal(t, "releases of "+service, joined(ids), want)
	}
	page := get(t, s, func(tx release.Tx) ([]release.Summary, error) {
		return tx.ListReleases(release.Filter{Service: "payments", Before: "r4", Limit: 1})
	})
	equal(t, "a page of them", page[0].ID, "r2")
	equal(t, "unfinished", joined(get(t, s, func(tx release.Tx) ([]string, error) { return tx.UnfinishedOf("payments") })), "r1 r2 r4")
	equal(t, "waiting on payments", joined(get(t, s, func(tx release.Tx) ([]string, error) { return tx.WaitingOn(others["payments"]) })), "r2 r4")
}

func newestOrdinary(t *testing.T, s Store) {
	newest := func(service, want string) {
		t.Helper()
		equal(t, "the newest of "+service, get(t, s, func(tx release.Tx) (string, error) { return tx.NewestOrdinary(service) }), want)
	}
	later := func(id string, mark func(r *release.Release), with ...string) {
		t.Helper()
		p := Plan("shop")
		for _, name := range with {
			p.With = append(p.With, pipeline.Component{Service: name, Digest: others[name]})
		}
		r := release.Release{ID: id, Service: "shop", Digest: p.Component.Digest, Author: "ann", CreatedAt: day}
		mark(&r)
		s.update(t, func(tx release.Tx) error { return tx.AddRelease(r, p, pipeline.NewRun(p, "ann", day)) })
	}
	drill := func(r *release.Release) { r.DrillOf = "r1" }
	back := func(r *release.Release) { r.RollbackTo = "r1" }
	newest("shop", "")
	later("q1", drill)
	newest("shop", "")
	s.addTogether(t, "r1", "till", "shop", "ledger")
	newest("shop", "r1")
	s.addRelease(t, "r2", "shop")
	newest("shop", "r2")
	s.addTogether(t, "r3", "till", "shop")
	for i := range 30 {
		later(fmt.Sprintf("s%02d", i), []func(*release.Release){drill, back}[i%2], "ledger")
	}
	newest("shop", "r2")
	newest("ledger", "r1")
	newest("till", "r3")
	s.addTogether(t, "t1", "shop", "ledger")
	newest("shop", "t1")
	newest("ledger", "t1")
}

func evidenceTogether(t *testing.T, s Store) {
	s.addTogether(t, "r1", "shop", "payments")
	s.addRelease(t, "r2", "shop")
	own := pipeline.Evidence{ID: "e1", Digest: Plan("shop").Component.Digest, Kind: "tests", Status: "passed", At: day}
	other := pipeline.Evidence{ID: "e2", Digest: others["payments"], Kind: "tests", Status: "failed", At: day}
	s.update(t, func(tx release.Tx) error {
		if err := tx.AddEvidence(own); err != nil {
			return err
		}
		return tx.AddEvidence(other)
	})
	equal(t, "evidence of both", get(t, s, load("r1")).Run.Evidence, []pipeline.Evidence{own, other})
	s.addTogether(t, "r3", "shop", "payments", "twin")
	equal(t, "evidence about an artifact of two services", get(t, s, load("r3")).Run.Evidence, []pipeline.Evidence{own, other})
	equal(t, "evidence of one", get(t, s, load("r2")).Run.Evidence, []pipeline.Evidence{own})
}

// earlyTogether checks that a service learns from its own points alone, whether it was
// released alone or with others.
func earlyTogether(t *testing.T, s Store) {
	s.addRelease(t, "r1", "payments")
	s.addTogether(t, "r2", "shop", "payments")
	s.addTogether(t, "r3", "shop", "payments")
	judged := map[string]map[string]int64{
		"r1": {"production": 1},
		"r2": {"production:payments": 2, "production:shop": 90},
		"r3": {"production": 91}, // to which only shop went
	}
	for id, entries := range judged {
		s.update(t, func(tx release.Tx) error {
			for entry, n := range entries {
				p := stage.Point{Sample: judge.Sample{At: day, Stable: judge.Arm{Requests: n}}}
				if err := tx.AppendPoints(id, entry, "canary", []stage.Point{p}); err != nil {
					return err
				}
			}
			r, err := tx.LoadRun(id)
			if err != nil {
				return err
			}
			r.Run.State, r.Run.EndedAt = pipeline.RunSucceeded, day
			return tx.SaveRun(r, time.Time{})
		})
	}
	for _, entry := range []string{"production", "production:payments"} {
		row := drive.TaskRow{Release: "r9", Service: "payments", Entry: entry, Environment: "production"}
		found := get(t, s, func(tx release.Tx) ([][]stage.Point, error) { return tx.EarlyPoints(row, 5, 5) })
		var seen []int64
		for _, points := range found {
			for _, p := range points {
				seen = append(seen, p.Sample.Stable.Requests)
			}
		}
		equal(t, "what "+entry+" learns from", seen, []int64{2, 1})
	}
}
