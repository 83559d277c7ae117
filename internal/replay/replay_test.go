package replay_test

import (
	"context"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/judge"
	"github.com/fairwayhq/fairway/internal/replay"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// looks are samples of a canary at a weight, one every 10 s, with so many requests a
// sample and so many errors.
func looks(n int, weight, canaryErrors float64) []replay.Look {
	random := rand.New(rand.NewPCG(7, uint64(n)))
	errors := func(requests int64, rate float64) (k int64) {
		for range requests {
			if random.Float64() < rate {
				k++
			}
		}
		return k
	}
	list := make([]replay.Look, n)
	for i := range list {
		at := start.Add(time.Duration(i+1) * 10 * time.Second)
		canary := int64(2000 * weight)
		list[i] = replay.Look{Now: at, Evidence: math.NaN(), Sample: judge.Sample{
			At: at, Weight: weight,
			Canary: judge.Arm{Requests: canary, Errors: errors(canary, canaryErrors), Instances: 2, WarmInstances: 2},
			Stable: judge.Arm{Requests: 2000 - canary, Errors: errors(2000-canary, 0.002), Instances: 2, WarmInstances: 2},
		}}
	}
	return list
}

func record(l []replay.Look) replay.Record {
	set := judge.DefaultSettings()
	return replay.Record{Looks: l, Opening: judge.Opening{
		Settings: set, Calibration: judge.Calibrate(judge.History{}, set, 200, 1), Start: start,
	}}
}

func TestABadCanaryIsFoundSoonerByTighterMargins(t *testing.T) {
	r := record(looks(60, 0.1, 0.05))
	own := r.Run(replay.AsItWas(r.Opening.Settings))
	d, ok := own.Decision()
	if !ok || d.Kind != judge.Fail || d.Errors < 2 || d.Requests != int64(d.Look)*200 || own.Turns[len(own.Turns)-1] != d {
		t.Fatalf("it decided %+v", d)
	}
	if d.After != time.Duration(d.Look)*10*time.Second || !strings.Contains(d.Said, "errors") {
		t.Errorf("at look %d it says after %s: %s", d.Look, d.After, d.Said)
	}
	wide, err := replay.Parse("margin.errors=40pp", r.Opening.Settings)
	if err != nil {
		t.Fatal(err)
	}
	wide.Settings.Errors.Regression.Add = 0.05
	if w, ok := r.Run(wide).Decision(); ok && w.Look <= d.Look {
		t.Errorf("a tolerance of 5 pp decides at look %d, none at %d", w.Look, d.Look)
	}
}

func TestWhatFollowsADecisionTurnsNothing(t *testing.T) {
	bad := looks(60, 0.1, 0.3)
	r := record(bad)
	c := r.Run(replay.AsItWas(r.Opening.Settings))
	d, ok := c.Decision()
	if !ok || d.Look == len(bad) || len(c.Steps) != len(bad) || c.Last.Look != len(bad) {
		t.Fatalf("decided at look %d of %d; the last is %d", d.Look, len(c.Steps), c.Last.Look)
	}
}

func TestADifferenceFromTheRecordIsNamed(t *testing.T) {
	r := record(looks(20, 0.1, 0.002))
	j := r.Opening.Judge()
	for i := range r.Looks {
		j.Observe(r.Looks[i].Sample)
		r.Looks[i].Evidence = j.Evidence()
	}
	own := replay.AsItWas(r.Opening.Settings)
	if c := r.Run(own); c.Differs != "" {
		t.Errorf("the same differs: %s", c.Differs)
	}
	r.Looks[12].Evidence *= 1.001
	if c := r.Run(own); !strings.Contains(c.Differs, "at look 13 ") {
		t.Errorf("it says %q", c.Differs)
	}
	if other := replay.Beside(r.Opening.Settings)[0]; r.Run(other).Differs != "" {
		t.Error("other settings are compared with the record")
	}
}

func TestMissingSamplesHoldAndCountNothing(t *testing.T) {
	r := record(looks(10, 0.1, 0.002))
	for i := 5; i < 10; i++ {
		r.Looks[i].Sample.Missing = "the source is down"
	}
	c := r.Run(replay.AsItWas(r.Opening.Settings))
	if c.Decided || c.Last.Reason != judge.NoEvidence || c.Last.Requests != 5*200 || c.Last.Missing == "" {
		t.Errorf("it ended %+v", c.Last)
	}
}

func TestParseChangesWhatItSaysAndNothingElse(t *testing.T) {
	s := judge.DefaultSettings()
	v, err := replay.Parse("margin.errors=1pp, block=30s,dwell=1m", s)
	want := s
	want.Errors, want.Block, want.Dwell = judge.ErrorMargin(0.01), 30*time.Second, time.Minute
	if err != nil || !v.Settings.Equal(want) {
		t.Errorf("%+v, %v", v.Settings, err)
	}
	watching := s
	watching.Watch = time.Hour
	if v, err := replay.Parse("watch=2h", watching); err != nil || v.Settings.Watch != 2*time.Hour {
		t.Errorf("%s, %v", v.Settings.Watch, err)
	}
	if v, err := replay.Parse("watch=2h", s); err != nil || !v.Settings.Equal(s) {
		t.Errorf("a canary got a watch: %s, %v", v.Settings.Watch, err)
	}
	for _, text := range []string{"", "margin", "margin.errors", "margin.errors=1", "margin.errors=0pp", "margin.errors=-1pp",
		"margin.errors=NaNpp", "margin.latency=2pp", "block=1", "block=-1s", "falseAlarm=100%", "middle=200%", "dwell=2h", "colour=red", "minimumSamples=x"} {
		if _, err := replay.Parse(text, s); fault.CodeOf(err) != fault.Invalid {
			t.Errorf("%q gives %v", text, err)
		}
	}
	for _, key := range replay.Keys() {
		_, err := replay.Parse(key+"=?", s)
		hint, _ := strings.CutPrefix(fault.HintOf(err), "for instance ")
		if _, err := replay.Parse(hint, watching); err != nil {
			t.Errorf("the hint for %s is %q, which gives %v", key, hint, err)
		}
	}
}

func TestThinKeepsPeaks(t *testing.T) {
	steps := make([]replay.Step, 1000)
	steps[617].Evidence = 9
	thin := replay.Thin(steps, 60)
	if len(thin) != 60 || thin[37].Evidence != 9 {
		t.Errorf("of the peak is left %+v", thin[37])
	}
}

// sampler tells of a stretch of looks, always lag behind.
func sampler(all []replay.Look, lag time.Duration) replay.Sampler {
	return func(_ context.Context, now time.Time, cursor []byte) (judge.Sample, []byte, error) {
		at := now.Add(-lag)
		s := judge.Sample{At: at, Missing: "first look"}
		for _, l := range all {
			if len(cursor) > 0 && l.Sample.At.Equal(at) {
				s = l.Sample
			}
		}
		s.Weight = 0
		return s, []byte("1"), nil
	}
}

func TestAWalkLooksAtEveryIntervalOfThePast(t *testing.T) {
	all := looks(30, 0.1, 0.002)
	walked, err := replay.Walk(t.Context(), sampler(all, 17*time.Second), start, start.Add(5*time.Minute), 10*time.Second)
	if err != nil || len(walked) != 30 {
		t.Fatalf("%d looks, %v", len(walked), err)
	}
	for i, l := range walked {
		if !l.Sample.At.Equal(all[i].Sample.At) || l.Sample.Missing != "" || l.Now.Sub(l.Sample.At) != 17*time.Second {
			t.Fatalf("look %d is %+v", i+1, l)
		}
	}
	if _, err := replay.Walk(t.Context(), sampler(all, 0), start, start, time.Second); fault.CodeOf(err) != fault.Invalid {
		t.Errorf("no time at all gives %v", err)
	}
}

func TestAStretchTakesTheWeightFromTheRequests(t *testing.T) {
	all := append(looks(30, 0.1, 0.002), looks(60, 0.4, 0.002)[30:]...)
	for i := range all {
		all[i].Sample.Weight = 0
	}
	set := judge.DefaultSettings()
	r, err := replay.Stretch{Looks: all}.Record(set)
	if err != nil {
		t.Fatal(err)
	}
	weights := map[float64]bool{}
	for _, l := range r.Looks {
		weights[l.Sample.Weight] = true
	}
	first, last := r.Looks[5].Sample.Weight, r.Looks[59].Sample.Weight
	if math.Abs(first-0.1) > 0.01 || math.Abs(last-0.4) > 0.1 || len(weights) > 6 {
		t.Errorf("the weight goes from %v to %v in %d steps", first, last, len(weights))
	}
	if m := r.Opening.Settings.Middle; m < first || m > last {
		t.Errorf("the proof is made at %v", m)
	}
	if rate := r.Opening.Calibration.RequestRate; math.Abs(rate-200) > 10 {
		t.Errorf("the rate is %v/s", rate)
	}
	if all[3].Sample.Weight != 0 {
		t.Error("the looks that were given have changed")
	}
	given, err := replay.Stretch{Looks: all, Weight: 0.25}.Record(set)
	if err != nil || given.Looks[0].Sample.Weight != 0.25 || given.Opening.Settings.Middle != 0.25 {
		t.Errorf("a given weight became %+v, %v", given.Looks[0].Sample.Weight, err)
	}
}

func TestAStretchPassesAHealthyCanaryAtTheWeightThatItHad(t *testing.T) {
	r, err := replay.Stretch{Looks: looks(360, 0.2, 0.002)}.Record(judge.DefaultSettings())
	if err != nil {
		t.Fatal(err)
	}
	wide, err := replay.Parse("margin.errors=1pp", r.Opening.Settings)
	if err != nil {
		t.Fatal(err)
	}
	if d, ok := r.Run(wide).Decision(); !ok || d.Kind != judge.Pass {
		t.Errorf("it decided %+v", d)
	}
}

func TestAStretchWithoutRequestsSaysWhatIsMissing(t *testing.T) {
	empty := looks(3, 0.1, 0)
	for i := range empty {
		empty[i].Sample.Missing = "the requests query finds nothing of the canary arm"
	}
	for _, l := range [][]replay.Look{nil, empty} {
		if _, err := (replay.Stretch{Looks: l}).Record(judge.DefaultSettings()); fault.CodeOf(err) != fault.NotFound {
			t.Errorf("%d looks give %v", len(l), err)
		}
	}
	_, err := replay.Stretch{Looks: empty}.Record(judge.DefaultSettings())
	if !strings.Contains(err.Error(), "finds nothing of the canary arm") {
		t.Error(err)
	}
}
