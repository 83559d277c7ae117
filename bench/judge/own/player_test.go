package own_test

import (
	"testing"
	"time"

	"github.com/fairwayhq/fairway/bench/judge/own"
	"github.com/fairwayhq/fairway/bench/judge/play"
	"github.com/fairwayhq/fairway/bench/judge/world"
)

func plan(t *testing.T, s world.Service, settings string) *own.Plan {
	t.Helper()
	p, err := own.PlanFor(s, settings)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

var rules = play.Rules{Scrape: 15 * time.Second, Length: 90 * time.Minute}

func TestAnOutageIsBackAtTheFirstScrape(t *testing.T) {
	for _, s := range world.Services[1:] {
		p := plan(t, s, "")
		r := play.Run(world.New(s, world.IID, world.Errors100, 1), own.New(p), rules)
		if !r.TakenBack || r.Back != 20 {
			t.Errorf("%s: %+v", s.Name, r)
		}
	}
}

func TestAHealthyReleaseIsPromotedAfterItsWatch(t *testing.T) {
	s := world.Services[3]
	r := play.Run(world.New(s, world.IID, world.AA, 1), own.New(plan(t, s, "")), rules)
	// The revision must be half an hour old where the time of the watch is left open.
	if r.TakenBack || r.To95 > 900 || r.To100 < 1800 || r.To100 > 1900 {
		t.Errorf("%+v", r)
	}
}

func TestSettingsCanBeChangedForExperiments(t *testing.T) {
	s := world.Services[3]
	to95 := func(settings string) float64 {
		return play.Run(world.New(s, world.IID, world.AA, 1), own.New(plan(t, s, settings)), rules).To95
	}
	if usual, longer := to95(""), to95(`{"dwell": 600000000000}`); longer < usual+300 {
		t.Errorf("with a dwell of ten minutes it takes %v s, as usual %v s", longer, usual)
	}
	for _, wrong := range []string{`{"dwell": "x"}`, `{"clip": -1}`} {
		if _, err := own.PlanFor(s, wrong); err == nil {
			t.Errorf("%s is taken", wrong)
		}
	}
}

func TestTheRampGrowsToTheMiddle(t *testing.T) {
	s := world.Services[2]
	w := world.New(s, world.IID, world.AA, 1)
	r, m := plan(t, s, "").NewRamp(s), w.Monitor(15*time.Second)
	before, instances := r.Weight()
	if before < 0.003 || before > 0.004 || instances != 10 {
		t.Errorf("it begins with %v and %d instances", before, instances)
	}
	for w.Now() < 20*time.Minute {
		weight, instances := r.Weight()
		if weight < before || weight > 3*before+1e-9 {
			t.Fatalf("%v follows %v", weight, before)
		}
		before = weight
		m.Add(w.Step(weight, instances))
		if m.Due(w.Now()) {
			reading := m.Read(w.Now(), weight)
			if r.Grow(&reading) {
				if weight != 0.5 {
					t.Errorf("it has passed at %v", weight)
				}
				return
			}
		}
	}
	t.Error("after twenty minutes it has not passed")
}
