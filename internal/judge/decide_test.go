package judge

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// feed gives the judge n samples of 15 s, all alike.
func feed(j *Judge, n int, weight float64, stable, stableBad, canary, canaryBad int64) time.Time {
	at := j.state.LastAt
	for range n {
		at = at.Add(15 * time.Second)
		j.Observe(arms(at, weight, stable, stableBad, canary, canaryBad))
	}
	return at
}

func canaryJudge() *Judge {
	s := DefaultSettings()
	return New(s, Calibrate(History{}, s, 200, 1), testStart)
}

func watchJudge() *Judge {
	s := DefaultSettings()
	s.Watch = 10 * time.Minute
	c := Calibrate(History{}, s, 200, 1)
	c.Errors.Rate, c.Errors.Events = 0.002, historyEvents
	return New(s, c, testStart)
}

func expect(t *testing.T, j *Judge, now time.Time, kind Kind, reason Reason, detail string) Verdict {
	t.Helper()
	v := j.Verdict(now)
	if v.Kind != kind || v.Reason != reason || !strings.Contains(v.Detail, detail) {
		t.Errorf("the verdict is %s (%s), detail %q; want %s (%s), %q\n%s", v.Kind, v.Reason, v.Detail, kind, reason, detail, v.Paragraph())
	}
	return v
}

func TestATotalFailureFailsAtTheFirstSample(t *testing.T) {
	j := canaryJudge()
	at := testStart.Add(time.Second)
	j.Observe(arms(at, 0.1, 180, 0, 20, 20))
	expect(t, j, at, Fail, Worse, "")
	feed(j, 20, 0.1, 2700, 5, 300, 0)
	expect(t, j, at, Fail, Worse, "") // a verdict of failure stays
}

func TestWithoutASampleThereIsNoEvidence(t *testing.T) {
	j := canaryJudge()
	expect(t, j, testStart, Hold, NoEvidence, "no sample yet")
	at := feed(j, 4, 0.1, 2700, 5, 300, 1)
	expect(t, j, at, Hold, Collecting, "middle level")
	expect(t, j, at.Add(3*time.Minute), Hold, NoEvidence, "3m0s old")
	j.Observe(Sample{At: at.Add(time.Second), Missing: "the source is down"})
	expect(t, j, at, Hold, NoEvidence, "the source is down")
}

func TestBrokenSamplesAreMissing(t *testing.T) {
	good := arms(testStart.Add(time.Second), 0.1, 90, 0, 10, 0)
	for want, mutate := range map[string]func(*Sample){
		"backwards":           func(s *Sample) { s.Stable.Requests = -1 },
		"more errors":         func(s *Sample) { s.Canary.Errors = 11 },
		"the weight":          func(s *Sample) { s.Weight = 1.5 },
		"one count more":      func(s *Sample) { s.Canary.Latency = Histogram{Bounds: []float64{1}, Counts: []int64{1}} },
		"do not rise":         func(s *Sample) { s.Stable.Latency = Histogram{Bounds: []float64{2, 1}, Counts: []int64{1, 1, 1}} },
		"an impossible count": func(s *Sample) { s.Stable.Latency = Histogram{Bounds: []float64{1}, Counts: []int64{1, -1}} },
		"instances":           func(s *Sample) { s.Canary.Instances = -1 },
	} {
		j, s := canaryJudge(), good
		mutate(&s)
		j.Observe(s)
		expect(t, j, s.At, Hold, NoEvidence, want)
	}
}

func TestAGoodCanaryPassesAtTheMiddleLevel(t *testing.T) {
	j := canaryJudge()
	at := feed(j, 8, 0.1, 27000, 54, 3000, 6)
	expect(t, j, at, Hold, Collecting, "middle level")
	at = feed(j, 4, 0.5, 15000, 30, 15000, 30)
	expect(t, j, at, Hold, Collecting, "not yet proven: errors")
	at = feed(j, 110, 0.5, 15000, 30, 15000, 30)
	expect(t, j, at, Pass, NotWorse, "")
	j.Observe(Sample{At: at, Missing: "empty"})
	expect(t, j, at, Hold, NoEvidence, "empty") // never a pass while a sample is missing
}

func TestWithoutProofOfEitherTheCanaryIsUndecided(t *testing.T) {
	quiet := canaryJudge()
	at := feed(quiet, 240, 0.5, 8, 0, 8, 0)
	v := expect(t, quiet, at, Hold, Undecided, "errors")
	if v.ForPerson {
		t.Error("a canary without any error does not lean to harm")
	}
	few := canaryJudge()
	at = feed(few, 240, 0.1, 8, 0, 0, 0)
	expect(t, few, at, Hold, NoEvidence, "")

	slow := canaryJudge()
	at = feed(slow, 240, 0.5, 1500, 3, 1500, 5)
	v = slow.Verdict(at)
	if v.Kind == Pass {
		t.Errorf("errors ×1.67 passed: %s", v.Paragraph())
	}
}

func TestLeaningToHarmFailsOnlyAtTheEnd(t *testing.T) {
	j := canaryJudge()
	at := feed(j, 20, 0.2, 2400, 5, 600, 1)
	j.state.Tracks[0].Harm.Open[0] = 60 * float64(len(errorEffects)) // E just above 60
	expect(t, j, at, Hold, Suspicious, "")
	j.state.Start = at.Add(-time.Hour)
	expect(t, j, at, Fail, LeansToHarm, "")
}

func TestACanaryWithoutTrafficHolds(t *testing.T) {
	j := canaryJudge()
	at := feed(j, 8, 0.2, 2400, 5, 0, 0)
	expect(t, j, at, Hold, NoEvidence, "less than half of the requests")
	at = feed(j, 20, 0.2, 2400, 5, 600, 1)
	if v := j.Verdict(at); v.Reason == NoEvidence {
		t.Errorf("traffic arrives, but %s", v.Detail)
	}
}

// Stable alone says whether a canary is worse. Where its counters stand still, what it
// did earlier must neither prove nor accuse.
func TestAStableWithoutTrafficHolds(t *testing.T) {
	for name, errors := range map[string]int64{"good": 1, "bad": 100} {
		j := canaryJudge()
		feed(j, 4, 0.2, 2400, 5, 600, 1)
		before := j.Evidence()
		at := feed(j, 200, 0.2, 0, 0, 600, errors)
		expect(t, j, at, Hold, NoEvidence, "the running version gets less than half")
		if e := j.Evidence(); e > 2*before+2 {
			t.Errorf("%s: without stable's requests the evidence grew from %v to %v", name, before, e)
		}
		at = feed(j, 40, 0.2, 2400, 5, 600, 1)
		if v := j.Verdict(at); v.Reason == NoEvidence {
			t.Errorf("%s: stable has requests again, but %s", name, v.Detail)
		}
	}
}

func TestASilentServiceIsNoEvidence(t *testing.T) {
	j := watchJudge()
	feed(j, 4, 0.95, 500, 1, 9500, 19)
	at := feed(j, 400, 0.95, 0, 0, 0, 0)
	expect(t, j, at, Hold, NoEvidence, "neither version has had a request for")
	at = feed(j, 10, 0.95, 500, 1, 9500, 19)
	expect(t, j, at, Hold, Collecting, "")

	// A service that has a request in ten minutes is not silent after five.
	rare := New(watchJudge().state.Settings, Calibration{RequestRate: 1.0 / 600, Errors: errorPrior.noise(0.001, 1)}, testStart)
	at = feed(rare, 20, 0.95, 0, 0, 0, 0)
	expect(t, rare, at, Hold, Collecting, "")
}

// Keys that stick to an arm may give a small canary many times its share.
func TestManyRequestsOfFewUsersAreNoMissingTraffic(t *testing.T) {
	j := canaryJudge()
	at := feed(j, 8, 0.01, 2400, 5, 600, 1)
	expect(t, j, at, Hold, Collecting, "")
}

func TestLatencyIsJudgedOnlyWhereThereIsSome(t *testing.T) {
	// Without any latency the errors alone decide.
	j := canaryJudge()
	at := feed(j, 130, 0.5, 15000, 30, 15000, 30)
	expect(t, j, at, Pass, NotWorse, "")

	// Stable has latencies, the canary has none: that is no proof.
	histogram := Histogram{Bounds: []float64{0.05, 0.1, 0.25}, Counts: []int64{6000, 6000, 2800, 200}}
	j, at = canaryJudge(), testStart
	for range 130 {
		at = at.Add(15 * time.Second)
		s := arms(at, 0.5, 15000, 30, 15000, 30)
		s.Stable.Latency, s.Stable.WarmInstances = histogram, 4
		j.Observe(s)
	}
	expect(t, j, at, Hold, Collecting, "not yet proven: latency")

	// Both have, and the canary is twice as slow.
	for range 20 {
		at = at.Add(15 * time.Second)
		s := arms(at, 0.5, 15000, 30, 15000, 30)
		s.Stable.Latency, s.Canary.Latency = histogram, Histogram{Bounds: histogram.Bounds, Counts: []int64{3000, 4000, 5000, 3000}}
		j.Observe(s)
	}
	v := expect(t, j, at, Fail, Worse, "")
	if m, _ := v.leading(); m.Bound == 0 {
		t.Errorf("the blame is on %s", m.Name)
	}
}

func TestAClockThatGoesBackLosesNoCounts(t *testing.T) {
	j := canaryJudge()
	at := feed(j, 10, 0.1, 2700, 5, 300, 1)
	j.Observe(arms(at.Add(-time.Hour), 0.1, 2700, 5, 300, 1))
	if n := j.state.Tracks[0].Total.Canary; n != 3300 {
		t.Errorf("%v canary requests, want 3300", n)
	}
	if j.state.Elapsed != 150 {
		t.Errorf("the judge's clock shows %v s, want 150", j.state.Elapsed)
	}
}

func TestAWatchPassesAfterItsTimeWithoutHarm(t *testing.T) {
	j := watchJudge()
	at := feed(j, 39, 0.95, 500, 1, 9500, 19)
	expect(t, j, at, Hold, Collecting, "")
	at = feed(j, 1, 0.95, 500, 1, 9500, 19)
	expect(t, j, at, Pass, NotWorse, "")
}

func TestAWatchFailsOnHarm(t *testing.T) {
	j := watchJudge()
	feed(j, 20, 0.95, 500, 1, 9500, 19)
	at := feed(j, 20, 0.95, 500, 1, 9500, 190)
	expect(t, j, at, Fail, Worse, "")
}

func TestAWatchNeedsAControl(t *testing.T) {
	j := watchJudge()
	at := feed(j, 60, 0.95, 0, 0, 3000, 6)
	expect(t, j, at, Hold, NoEvidence, "the running version gets less than half")
	j = watchJudge()
	at = feed(j, 60, 0.95, 0, 0, 3, 0)
	expect(t, j, at, Hold, NoEvidence, "holdback")
	j = watchJudge()
	at = feed(j, 40, 1, 0, 0, 10000, 20)
	expect(t, j, at, Pass, NotWorse, "the time before")
	j = watchJudge()
	at = feed(j, 40, 1, 0, 0, 10000, 300)
	expect(t, j, at, Fail, Worse, "")
	j = watchJudge()
	at = testStart
	for range 3 { // a clock that jumps does not end a watch early
		at = at.Add(time.Hour)
		j.Observe(arms(at, 0.95, 500, 1, 9500, 19))
	}
	expect(t, j, at, Hold, Collecting, "")
}

func TestADamagedStateIsRefused(t *testing.T) {
	j := canaryJudge()
	feed(j, 5, 0.2, 2400, 5, 600, 1)
	good := asJSON(t, j)
	for _, bad := range []string{
		"{}", "[]", `{"tracks":[null]}`, strings.Replace(good, `"booked":[`, `"booked":[1,`, 1),
		strings.Replace(good, `"bound":`, `"was":`, 1)[:len(good)/2],
	} {
		var back Judge
		if err := json.Unmarshal([]byte(bad), &back); err == nil {
			t.Errorf("accepted %.60s…", bad)
		}
	}
	var back Judge
	if err := json.Unmarshal([]byte(good), &back); err != nil {
		t.Error(err)
	}
}
