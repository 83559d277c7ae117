package rival

import (
	"math"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/bench/judge/own"
	"github.com/fairwayhq/fairway/bench/judge/play"
	"github.com/fairwayhq/fairway/bench/judge/world"
)

// minute is four scrapes of a canary with so many requests and errors each, half a
// second slow of them.
func minute(w *window, requests, errors, slow int64, lost bool) {
	for range 4 {
		r := world.Reading{Lost: lost}
		if !lost {
			r.Canary = world.Counts{Requests: requests, Errors: errors}
			r.Canary.Latency[4], r.Canary.Latency[8] = requests-slow, slow
		}
		w.push(&r)
	}
}

// says lets a rule look at one minute after the other.
func says(r rule, minutes ...func(*window)) (all []opinion) {
	w := &window{scrape: 15 * time.Second}
	for i, m := range minutes {
		m(w)
		all = append(all, r.look(time.Duration(i+1)*time.Minute, w))
	}
	return all
}

func well(w *window)   { minute(w, 100, 0, 0, false) }
func broken(w *window) { minute(w, 100, 2, 0, false) }
func slow(w *window)   { minute(w, 100, 0, 2, false) }
func empty(w *window)  { minute(w, 0, 0, 0, false) }
func blind(w *window)  { minute(w, 0, 0, 0, true) }

func equal(t *testing.T, what string, got, want []opinion) {
	t.Helper()
	for i := range want {
		if i >= len(got) || got[i] != want[i] {
			t.Errorf("%s: %v, want %v", what, got, want)
			return
		}
	}
}

func TestFlaggerCountsFailedChecksForGood(t *testing.T) {
	equal(t, "two failed checks with a limit of two", says(newFlagger(2), broken, well, slow, well), []opinion{bad, good, bad, fail})
	equal(t, "no values are a failed check", says(newFlagger(2), empty, blind, well), []opinion{bad, bad, fail})
	equal(t, "just within the threshold", says(newFlagger(2), func(w *window) { minute(w, 100, 1, 0, false) }), []opinion{good})
}

func TestArgoFailsOnTheFourthFailure(t *testing.T) {
	a := func() *argo {
		return &argo{timer: timer{time.Minute, time.Minute}, success: 0.99, slowest: 0.5, failureLimit: 3, lookback: time.Minute}
	}
	equal(t, "errors", says(a(), broken, broken, well, broken, broken), []opinion{bad, bad, good, bad, fail})
	equal(t, "errors and slowness are counted apart", says(a(), broken, slow, broken, slow, broken, slow, slow), []opinion{bad, bad, bad, bad, bad, bad, fail})
	equal(t, "a result that is no number is a failure", says(a(), empty, empty, empty, empty), []opinion{bad, bad, bad, fail})
	equal(t, "the fifth error in a row", says(a(), blind, blind, blind, blind, blind), []opinion{bad, bad, bad, bad, fail})
}

func TestPipeCDFailsOnOnePoint(t *testing.T) {
	p := newThreshold(2*time.Minute, 0.01)
	worse := func(w *window) { minute(w, 100, 4, 0, false) }
	equal(t, "threshold", says(p, well, broken, well, worse, well), []opinion{quiet, good, quiet, fail, quiet})
	equal(t, "no number", says(newThreshold(time.Minute, 0.01), empty), []opinion{fail})
}

func repeat(n int, x float64, more ...float64) []float64 {
	var all []float64
	for range n {
		all = append(all, x)
	}
	return append(all, more...)
}

// Cases that users of Kayenta reported, and what its judge made of them.
func TestKayentaClassifiesAsReported(t *testing.T) {
	k := newKayenta(time.Hour, 10*time.Minute, 1)
	for _, tc := range []struct {
		name           string
		canary, stable []float64
		high           bool
	}{
		{"sparse errors against none", []float64{0, 1, 2, 1, 0, 0}, repeat(6, 0), false},
		{"seven of ten a hundred times as slow", repeat(7, 100, 1, 1, 1), repeat(10, 1), false},
		{"eight of ten", repeat(8, 100, 1, 1), repeat(10, 1), true},
		{"errors in half of the windows", []float64{0.048, 0.18, 0.089, 0.098, 0.035, 0, 0, 0, 0, 0}, repeat(10, 0), false},
		{"equal", []float64{1, 2, 3}, []float64{3, 2, 1}, false},
		{"nothing", nil, []float64{1}, false},
		{"all ones against all zeros", repeat(10, 1), repeat(10, 0), true},
		{"better", repeat(10, 1), []float64{5, 6, 7, 8, 9, 5, 6, 7, 8, 9}, false},
	} {
		if got := k.high(tc.canary, tc.stable); got != tc.high {
			t.Errorf("%s: %v, want %v", tc.name, got, tc.high)
		}
	}
}

func TestRankSumsAreExact(t *testing.T) {
	for _, tc := range []struct {
		x, y []float64
		p    float64
	}{
		{[]float64{4, 5, 6}, []float64{1, 2, 3}, 1.0 / 20},
		{[]float64{1, 2, 3}, []float64{4, 5, 6}, 1},
		{[]float64{1, 4}, []float64{2, 3}, 4.0 / 6},
		{[]float64{1, 1}, []float64{1, 1}, 1},
		{[]float64{1, 0}, []float64{0, 0}, 0.5}, // the one may fall to either arm
	} {
		if p := greater(tc.x, tc.y); math.Abs(p-tc.p) > 1e-12 {
			t.Errorf("%v against %v: p is %v, want %v", tc.x, tc.y, p, tc.p)
		}
	}
}

// The shift between two samples, one the other plus 10, is 10.
func TestTheShiftIsFound(t *testing.T) {
	x, y := []float64{11, 12, 13, 14, 15, 16}, []float64{1, 2, 3, 4, 5, 6}
	if e, ok := shiftBound(x, y, 0); !ok || math.Abs(e-10) > 0.5 {
		t.Errorf("the estimate is %v", e)
	}
	if l, ok := shiftBound(x, y, confidence98); !ok || l > 9 || l < 4 {
		t.Errorf("the lower bound is %v", l)
	}
	if _, ok := shiftBound(repeat(3, 1), repeat(3, 1), 0); ok {
		t.Error("equal values have a shift")
	}
}

func TestPercentilesAreInterpolated(t *testing.T) {
	var s stats
	s.requests, s.latency[5], s.latency[6] = 100, 98, 2
	// The 99th of a hundred is in the middle of the two between 250 and 500 ms.
	if p := s.percentile99(); math.Abs(p-0.375) > 1e-9 {
		t.Errorf("p99 is %v", p)
	}
	if p := (&stats{}).percentile99(); !math.IsNaN(p) {
		t.Errorf("p99 of nothing is %v", p)
	}
}

// Where nothing is left to chance the tools' times follow from their documentation.
func TestAnOutageTakesTheDocumentedTime(t *testing.T) {
	rules := play.Rules{Scrape: 15 * time.Second, Length: 90 * time.Minute}
	s := world.Services[2]
	plan, err := own.PlanFor(s, "")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]float64{
		"Flagger": 11*60 + 5, "Flagger (tuned)": 4*60 + 5, "Argo": 25*60 + 5, "Argo (tuned)": 4*60 + 5,
		"Kayenta": 10*60 + 5, "Kayenta (tuned)": 5*60 + 5, "PipeCD": 5*60 + 5, "PipeCD (tuned)": 10*60 + 5,
	}
	for i := range Tools {
		tool := &Tools[i]
		for _, p := range []play.Player{tool.Play(s, rules.Scrape), tool.PlayOn(plan, s, rules.Scrape)} {
			r := play.Run(world.New(s, world.IID, world.Errors100, 1), p, rules)
			if !r.TakenBack || r.Back != want[tool.Title()] {
				t.Errorf("%s takes an outage back after %v s, want %v", tool.Title(), r.Back, want[tool.Title()])
			}
		}
	}
	r := play.Run(world.New(s, world.IID, world.Errors100, 1), NewOracle(plan, s), rules)
	if !r.TakenBack || r.Back != 20 {
		t.Errorf("the oracle needs %v s", r.Back)
	}
}

// With nothing of the stable rate in doubt and no noise the law is a Poisson's, and
// the evidence the textbook's: y·ln g − n·λ·(g − 1).
func TestTheInformedJudgeBetsByTheTextbook(t *testing.T) {
	m := &informedMetric{bound: -1, factor: 3, tau2: 1e-9, priorBad: 2e9, priorAll: 1e12}
	r := &world.Reading{At: 15 * time.Second, CanaryInstances: 1, StableInstances: 1}
	r.Canary, r.Stable = world.Counts{Requests: 1000, Errors: 7}, world.Counts{Requests: 1_000_000_000, Errors: 2_000_000}
	if got, want := m.see(r), 7*math.Log(3)-2*2.0; math.Abs(got-want) > 0.01 {
		t.Errorf("the log evidence is %v, want %v", got, want)
	}
	r.At = time.Minute
	r.Canary, r.Stable = world.Counts{}, world.Counts{}
	if got := m.see(r); math.Abs(got-m.booked) > 1e-9 || m.canary != 0 {
		t.Errorf("after a minute %v of %v is booked", m.booked, got)
	}
	r.Canary = world.Counts{Requests: 100_000, Errors: 200}
	r.Stable = world.Counts{Requests: 1_000_000_000, Errors: 2_000_000}
	r.At = 2 * time.Minute
	if m.see(r); m.booked != 0 {
		t.Errorf("a healthy minute leaves %v", m.booked)
	}
}

func TestTheInformedJudgeFindsFaultsAndOnlyThese(t *testing.T) {
	s := world.Services[2]
	plan, err := own.PlanFor(s, "")
	if err != nil {
		t.Fatal(err)
	}
	rules := play.Rules{Scrape: 15 * time.Second, Length: 40 * time.Minute}
	for f, back := range map[*world.Scenario]bool{&world.Tail100: true, &world.Errors5pp: true, &world.AA: false} {
		if r := play.Run(world.New(s, world.IID, *f, 1), NewInformed(plan, s), rules); r.TakenBack != back {
			t.Errorf("%s: %+v", f.Name, r)
		}
	}
}

func TestAHealthyReleaseTakesTheDocumentedTime(t *testing.T) {
	rules := play.Rules{Scrape: 15 * time.Second, Length: 90 * time.Minute}
	s := world.Services[3]
	want := map[string]float64{
		"Flagger": 10*60 + 5, "Flagger (tuned)": 7*60 + 5, "Argo": 40*60 + 5, "Argo (tuned)": 20*60 + 5,
		"PipeCD": 30*60 + 5,
	}
	for i := range Tools {
		tool := &Tools[i]
		seconds, known := want[tool.Title()]
		r := play.Run(world.New(s, world.IID, world.AA, 1), tool.Play(s, rules.Scrape), rules)
		if known && r.To100 != seconds {
			t.Errorf("%s promotes after %v s, want %v", tool.Title(), r.To100, seconds)
		}
	}
}
