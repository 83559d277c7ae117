package judge

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestSplittingASampleChangesNoEvidence(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawStream(t, 0)
		whole, halves := s.judge(), s.judge()
		// Stable's counts before the canary's first request only teach its rate.
		x := s.samples[0]
		x.At, x.Canary.Requests = testStart.Add(5*time.Second), x.Canary.Requests+1
		if s.timed() {
			x.Canary.Latency = Histogram{Bounds: []float64{0.1}, Counts: []int64{1, 0}}
		}
		whole.Observe(x)
		halves.Observe(x)
		for i, x := range s.samples {
			first, second := x, x
			first.At = x.At.Add(-time.Duration(rapid.IntRange(1, 9).Draw(t, "cut")) * time.Second)
			first.Stable, second.Stable = halve(t, x.Stable)
			first.Canary, second.Canary = halve(t, x.Canary)
			whole.Observe(x)
			halves.Observe(first)
			halves.Observe(second)
			a, b := whole.Evidence(), halves.Evidence()
			if math.Abs(a-b) > 1e-9*math.Max(a, b) {
				t.Fatalf("sample %d: evidence %v in one, %v in two", i, a, b)
			}
		}
	})
}

func TestMissingSamplesChangeNoEvidence(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawStream(t, 0)
		plain, gappy := s.run(s.samples), s.judge()
		for _, x := range s.samples {
			for range rapid.IntRange(0, 3).Draw(t, "missing") {
				gap := x
				gap.Missing = "the source is down"
				gap.Canary.Errors = gap.Canary.Requests
				gappy.Observe(gap)
				if v := gappy.Decide(x.At); v.Kind == Pass {
					t.Fatal("passed on a missing sample")
				}
			}
			gappy.Observe(x)
		}
		if a, b := asJSON(t, plain), asJSON(t, gappy); a != b {
			t.Fatalf("the state differs:\n%s\n%s", a, b)
		}
	})
}

func asJSON(t interface{ Fatal(...any) }, v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// severity orders verdicts from good to bad.
var severity = map[Kind]int{Pass: 0, Hold: 1, Fail: 2}

// The law is monotone as long as stable shows its rate. Where only the wide prior
// speaks, the evidence of an almost total failure may fall by a few percent with
// one more.
func TestMoreBadRequestsNeverMakeTheVerdictBetter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawStream(t, 2000)
		worse := append([]Sample(nil), s.samples...)
		last := &worse[len(worse)-1].Canary
		*last = worsened(t, *last)
		a, b := s.run(s.samples).Decide(s.end()), s.run(worse).Decide(s.end())
		if severity[b.Kind] < severity[a.Kind] {
			t.Fatalf("%s (%s, E %v, %v, proof %v) became %s (%s, E %v, %v, proof %v)",
				a.Kind, a.Reason, a.Evidence, a.Strongest, a.Proof, b.Kind, b.Reason, b.Evidence, b.Strongest, b.Proof)
		}
	})
}

func TestAJudgeReadBackGoesOnExactly(t *testing.T) {
	for seed := range uint64(6) {
		w := newWorld(seed, 200, 0.004, 0.01*float64(seed%2), 1+float64(seed%3)/4)
		s := demoSettings()
		c := Calibrate(History{}, s, w.rate, 1)
		one, two := New(s, c, testStart), New(s, c, testStart)
		z1, z2 := NewSizing(s, c, testStart), NewSizing(s, c, testStart)
		for i := range 60 {
			var j Judge
			var z Sizing
			if err := json.Unmarshal([]byte(asJSON(t, two)), &j); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal([]byte(asJSON(t, z2)), &z); err != nil {
				t.Fatal(err)
			}
			two, z2 = &j, &z
			at := testStart.Add(time.Duration(i+1) * time.Second)
			x := w.sample(at, z1.Weight)
			for _, o := range []interface{ Observe(Sample) }{one, two, z1, z2} {
				o.Observe(x)
			}
			a, b := one.Verdict(at), two.Verdict(at)
			if asJSON(t, a) != asJSON(t, b) || asJSON(t, one) != asJSON(t, two) {
				t.Fatalf("seed %d, second %d: the verdicts differ:\n%s\n%s", seed, i, a.Paragraph(), b.Paragraph())
			}
			if p, q := z1.Next(at, a), z2.Next(at, b); p != q {
				t.Fatalf("seed %d, second %d: the proposals differ: %v %v", seed, i, p, q)
			}
		}
	}
}

func FuzzObserve(f *testing.F) {
	f.Add(int64(100), int64(1), int64(100), int64(1), 0.5, int64(1), int64(5), int64(50), 1)
	f.Add(int64(0), int64(0), int64(1)<<62, int64(1)<<61, 0.0, int64(-5), int64(0), int64(0), 0)
	f.Add(int64(-1), int64(9), int64(3), int64(3), math.NaN(), int64(1)<<40, int64(1)<<49, int64(7), -3)
	f.Fuzz(func(t *testing.T, n, y, m, x int64, weight float64, gap, fast, slow int64, k int) {
		s := DefaultSettings()
		j, z := New(s, Calibration{Errors: errorPrior.noise(0.001, 1)}, testStart), NewSizing(s, Calibration{}, testStart)
		at := testStart
		for i := range 6 {
			at = at.Add(time.Duration(gap))
			h := Histogram{Bounds: []float64{0.1, 0.5}, Counts: []int64{fast, slow, int64(i)}}
			sample := Sample{
				At: at, Weight: weight,
				Canary: Arm{Requests: n, Errors: y, Instances: k, WarmInstances: k, Latency: h},
				Stable: Arm{Requests: m, Errors: x, Instances: 2, WarmInstances: 1, Latency: h},
			}
			j.Observe(sample)
			z.Observe(sample)
			v := j.Verdict(at)
			p := z.Next(at, v)
			if _, err := json.Marshal(v); err != nil {
				t.Fatalf("the verdict has an impossible number: %v", err)
			}
			if _, err := json.Marshal(j); err != nil {
				t.Fatalf("the state has an impossible number: %v", err)
			}
			if !(p.Weight >= 0 && p.Weight <= 0.5) {
				t.Fatalf("the next weight is %v", p.Weight)
			}
			if v.Sentence() == "" || v.Paragraph() == "" {
				t.Fatal("a verdict without words")
			}
		}
	})
}

func TestTheLogGammaFunctionIsExact(t *testing.T) {
	for x := 0.001; x < 1e12; x *= 1.07 {
		want, _ := math.Lgamma(x)
		if got := lgamma(x); math.Abs(got-want) > 1e-12*math.Max(1, math.Abs(want)) {
			t.Fatalf("lnΓ(%v) is %v, want %v", x, got, want)
		}
	}
}
