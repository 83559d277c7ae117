package main

import (
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/bar"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

func TestABadVersionThatGoesUnnoticedIsNoSmallHarm(t *testing.T) {
	trials := []trial{
		{flaw: flaws[0], served: 4, took: 5 * time.Second, noticed: true},
		{flaw: flaws[0], served: 9, took: 7 * time.Second, noticed: true},
		{flaw: flaws[0], served: 900, took: unnoticed},
		{flaw: flaws[2], served: 26, took: 40 * time.Second, noticed: true},
	}
	bars := named(badBars(trials))
	for name, want := range map[string]bar.Bar{
		"bad_served_100pct":          {Value: 9, OK: true},
		"seconds_to_rollback_100pct": {Value: 7, OK: true},
		"bad_served_2pct":            {Value: 26},
		"bad_missed":                 {Value: 1},
	} {
		if got := bars[name]; got.Value != want.Value || got.OK != want.OK {
			t.Errorf("%s is %+v", name, got)
		}
	}
}

func TestAGoodVersionThatIsNotDecidedIsNotPromoted(t *testing.T) {
	bars := named(goodBars([]result{
		{state: pipeline.RunSucceeded, proven: 100 * time.Second, ended: 3 * time.Minute},
		{state: pipeline.RunRunning, proven: undecided},
		{state: pipeline.RunRolledBack, proven: undecided},
	}))
	if got := bars["seconds_to_promote"]; got.Value != undecided.Seconds() || got.OK {
		t.Errorf("the median of one that was promoted and two that were not is %+v", got)
	}
	if got := bars["false_rollbacks"]; got.Value != 1 || got.OK {
		t.Errorf("one was taken back: %+v", got)
	}
}

func named(bars []bar.Bar) map[string]bar.Bar {
	all := map[string]bar.Bar{}
	for _, b := range bars {
		all[b.Name] = b
	}
	return all
}
