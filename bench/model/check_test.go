package main

import (
	"strings"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/pipeline"
)

func TestTheTrialIsTheMixInSmall(t *testing.T) {
	l := small()
	found := map[int]int{}
	for _, text := range l.definitions() {
		def, faults := pipeline.Parse("fairway.yaml", []byte(text))
		if len(faults) > 0 {
			t.Fatal(faults)
		}
		plan, err := pipeline.Compile(def, pipeline.Request{Version: "v1", Artifact: "./shop", Digest: "sha256:" + strings.Repeat("a", 64)})
		if err != nil {
			t.Fatal(err)
		}
		legs := 0
		for i := range plan.Environments {
			if plan.Environments[i].Region != "" {
				legs++
			}
		}
		found[legs]++
	}
	for _, p := range l.Mix {
		if want := int(p.Of*float64(l.releases) + 0.5); found[p.Regions] != want {
			t.Errorf("%d of %d releases go to %d regions, not %d", found[p.Regions], l.releases, p.Regions, want)
		}
	}
}

func TestWhatTheModelSaysOfTheTrialHasAllItsParts(t *testing.T) {
	l, u := small(), known()
	l.Mix, l.Regions, l.Canary = []part{{1, 11}}, 11, 6*time.Minute
	said := l.predicted(u, 100)
	samples := float64(l.releases) * 11 * (24 + 12)
	near(t, "updates", said.Updates, 10*220+samples)
	near(t, "rows", said.Rows, 10*440+samples+10*11*2)
	if looks := said.Updates * 11; said.Views < looks {
		t.Errorf("%v transactions read, and workers look %v times", said.Views, looks)
	}
}
