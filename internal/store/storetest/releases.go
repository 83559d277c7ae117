package storetest

import (
	"testing"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/release"
)

func releaseRoundTrip(t *testing.T, s Store) {
	p := Plan("shop")
	want := release.Release{ID: "r1", Service: "shop", Version: "v2", Artifact: "a.tar", Digest: p.Component.Digest, Author: "ann",
		Note: "it's new", PlanHash: p.Hash(), RollbackTo: "r0", DrillOf: "r9", CreatedAt: day, Definition: "service: shop\n"}
	s.update(t, func(tx release.Tx) error { return tx.AddRelease(want, p, pipeline.NewRun(p, "ann", day)) })
	s.view(t, func(tx release.Tx) error {
		got, err := tx.LoadRelease("r1")
		equal(t, "release", got, want)
		_, missing := tx.LoadRelease("r2")
		wantCode(t, "LoadRelease of a missing one", missing, fault.NotFound)
		return err
	})
}

func releaseOnce(t *testing.T, s Store) {
	s.addRelease(t, "r1", "shop")
	wantCode(t, "AddRelease again", s.Release.Update(t.Context(), func(tx release.Tx) error { return add(tx, "r1", "search") }), fault.Conflict)
	err := s.Release.Update(t.Context(), func(tx release.Tx) error {
		p := Plan("shop")
		return tx.AddRelease(release.Release{ID: "r2", PlanHash: "wrong"}, p, pipeline.NewRun(p, "ann", day))
	})
	wantCode(t, "AddRelease with the hash of another plan", err, fault.Invalid)
	equal(t, "services", get(t, s, release.Tx.Services), []string{"shop"})
}

func listReleases(t *testing.T, s Store) {
	for i, service := range []string{"shop", "search", "shop", "shop"} {
		id := []string{"r1", "r2", "r3", "r4"}[i]
		s.addRelease(t, id, service)
		s.update(t, func(tx release.Tx) error {
			r, err := tx.LoadRun(id)
			if err != nil {
				return err
			}
			if id != "r4" {
				r.Run.State, r.Run.EndedAt = pipeline.RunSucceeded, at(i)
				r.Run.Environments[0].State = pipeline.EnvironmentSucceeded
				r.Run.Environments[1].State = pipeline.EnvironmentSucceeded
			}
			return tx.SaveRun(r, day)
		})
	}
	for name, c := range map[string]struct {
		filter release.Filter
		want   string
	}{
		"all":             {release.Filter{}, "r4 r3 r2 r1"},
		"of a service":    {release.Filter{Service: "shop"}, "r4 r3 r1"},
		"in a state":      {release.Filter{State: pipeline.RunSucceeded}, "r3 r2 r1"},
		"older than one":  {release.Filter{Before: "r3"}, "r2 r1"},
		"a page":          {release.Filter{Limit: 2}, "r4 r3"},
		"all at once":     {release.Filter{Service: "shop", State: pipeline.RunSucceeded, Before: "r3", Limit: 1}, "r1"},
		"of nothing":      {release.Filter{Service: "none"}, ""},
		"with a quote in": {release.Filter{Service: "sh'op"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			found := get(t, s, func(tx release.Tx) ([]release.Summary, error) { return tx.ListReleases(c.filter) })
			var ids []string
			for _, r := range found {
				ids = append(ids, r.ID)
			}
			equal(t, "releases", joined(ids), c.want)
		})
	}
	list := get(t, s, func(tx release.Tx) ([]release.Summary, error) { return tx.ListReleases(release.Filter{}) })
	if last := list[0]; last.State != pipeline.RunPending || last.Environment != "staging" || !last.EndedAt.IsZero() {
		t.Errorf("the summary of a pending release is %+v", last)
	}
	if done := list[1]; done.State != pipeline.RunSucceeded || done.Environment != "production" || !done.EndedAt.Equal(at(2)) || done.Author != "ann" {
		t.Errorf("the summary of a succeeded release is %+v", done)
	}
}

func idempotency(t *testing.T, s Store) {
	s.addRelease(t, "r1", "shop")
	s.update(t, func(tx release.Tx) error { return tx.Remember("ann", "k", "r1") })
	s.update(t, func(tx release.Tx) error {
		mine, err := tx.Repeated("ann", "k")
		if err != nil {
			return err
		}
		equal(t, "ann's key", mine, "r1")
		other, err := tx.Repeated("bob", "k")
		equal(t, "bob's key", other, "")
		return err
	})
	err := s.Release.Update(t.Context(), func(tx release.Tx) error { return tx.Remember("ann", "k", "r1") })
	wantCode(t, "Remember again", err, fault.Conflict)
}
