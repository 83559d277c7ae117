package judge_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/fairwayhq/fairway/internal/judge"
)

// record is a comparison from its opening on, in samples of a quarter of a minute
// whose latencies have thresholds from the start.
type record struct {
	opening judge.Opening
	samples []judge.Sample
}

const between = 15 * time.Second

var recordStart = time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC)

// drawRecord draws a comparison of a service that is quiet, usual or busy, with a canary
// that has bad minutes. The first sample has a request of both arms.
func drawRecord(t *rapid.T) record {
	s := judge.DefaultSettings()
	s.Dwell = rapid.SampledFrom([]time.Duration{0, time.Minute}).Draw(t, "dwell")
	errors := judge.Noise{
		Rate: math.Exp(rapid.Float64Range(-8, -3).Draw(t, "log rate")), Events: rapid.SampledFrom([]float64{1, 20}).Draw(t, "events"),
		Tau2: rapid.SampledFrom([]float64{0.001, 0.05, 0.5}).Draw(t, "tau2"), Sigma2: rapid.SampledFrom([]float64{0, 0.02}).Draw(t, "sigma2"),
	}
	slow := errors
	slow.Rate = 0.05
	r := record{opening: judge.Opening{Settings: s, Start: recordStart, Calibration: judge.Calibration{
		Errors: errors, Latency: []judge.Threshold{{Bound: 0.25, Slope: 3, Noise: slow}},
	}}}
	weight := rapid.SampledFrom([]float64{0.01, 0.2, 0.5, 0.95}).Draw(t, "weight")
	size := rapid.SampledFrom([]float64{20, 400, 20000}).Draw(t, "size")
	instances := rapid.IntRange(1, 20).Draw(t, "instances")
	arm := func(who string, share float64, bad []float64) judge.Arm {
		n := 1 + rapid.Int64Range(0, int64(share*size)).Draw(t, who+" requests")
		part := func(of float64) int64 {
			return int64(math.Round(float64(n) * of * rapid.Float64Range(0, 1).Draw(t, who+" bad")))
		}
		slow := part(0.1 * rapid.SampledFrom(bad).Draw(t, who+" slowness"))
		return judge.Arm{
			Requests: n, Errors: part(0.01 * rapid.SampledFrom(bad).Draw(t, who+" badness")), Instances: instances, WarmInstances: instances,
			Latency: judge.Histogram{Bounds: []float64{0.1, 0.25}, Counts: []int64{n - slow, 0, slow}},
		}
	}
	for i := range rapid.IntRange(1, 30).Draw(t, "samples") {
		r.samples = append(r.samples, judge.Sample{
			At: recordStart.Add(time.Duration(i+1) * between), Weight: weight,
			Stable: arm("stable", 1-weight, []float64{0, 1}), Canary: arm("canary", weight, []float64{0, 1, 1, 5, 10}),
		})
	}
	return r
}

func (r record) run(samples []judge.Sample) *judge.Judge {
	j := r.opening.Judge()
	for _, s := range samples {
		j.Observe(s)
	}
	return j
}

func (r record) end() time.Time { return r.samples[len(r.samples)-1].At }

// cut divides what an arm did. The first part may be empty.
func cut(t *rapid.T, a judge.Arm, empty bool) (first, second judge.Arm) {
	part := func(n int64) int64 {
		if empty {
			return 0
		}
		return rapid.Int64Range(0, n).Draw(t, "part")
	}
	first, second = a, a
	first.Errors = part(a.Errors)
	first.Requests = first.Errors + part(a.Requests-a.Errors)
	first.Latency.Counts, second.Latency.Counts = nil, nil
	for _, n := range a.Latency.Counts {
		k := part(n)
		first.Latency.Counts = append(first.Latency.Counts, k)
		second.Latency.Counts = append(second.Latency.Counts, n-k)
	}
	second.Errors, second.Requests = a.Errors-first.Errors, a.Requests-first.Requests
	return first, second
}

func sameEvidence(a, b float64) bool { return math.Abs(a-b) <= 1e-9*math.Max(a, b) }

// Once both arms have had a request (before, stable only teaches its rate), and as long
// as a block does not end at the cut, which the samples of a quarter of a minute see to.
//
// The verdict may differ for two reasons, both of which are crossings: the evidence was
// enough between two looks, or an arm's traffic was missing then, so that less time
// counts as observed.
func TestAScrapeInTwoPartsTellsTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRecord(t)
		whole, parts := r.opening.Judge(), r.opening.Judge()
		crossed := false
		for i, x := range r.samples {
			whole.Observe(x)
			a := whole.Decide(x.At)
			if i > 0 && rapid.Bool().Draw(t, "cut") {
				first := x
				first.At = x.At.Add(-time.Duration(rapid.IntRange(1, 14).Draw(t, "seconds")) * time.Second)
				empty := rapid.Bool().Draw(t, "empty")
				first.Canary, x.Canary = cut(t, x.Canary, empty)
				first.Stable, x.Stable = cut(t, x.Stable, empty)
				parts.Observe(first)
				between := parts.Decide(first.At)
				crossed = crossed || between.Kind == judge.Fail || (between.Reason == judge.NoEvidence) != (a.Reason == judge.NoEvidence)
			}
			parts.Observe(x)
			b := parts.Decide(x.At)
			if !sameEvidence(whole.Evidence(), parts.Evidence()) || math.Abs(a.Proof-b.Proof) > 1e-9*math.Max(1, math.Abs(a.Proof)) {
				t.Fatalf("sample %d: evidence %v and proof %v in one, %v and %v in two", i, whole.Evidence(), a.Proof, parts.Evidence(), b.Proof)
			}
			crossed = crossed || (b.Reason == judge.NoEvidence) != (a.Reason == judge.NoEvidence)
			if a.Kind != b.Kind && !crossed {
				t.Fatalf("sample %d: in one %+v, in two %+v", i, a, b)
			}
		}
	})
}

// unevenness is how much lower the evidence may be with one bad request more. The law of
// a block is a mixture, whose ratios do not rise everywhere.
const unevenness = 1.1

// balanced gives stable as many requests more as the canary has in each sample, as in a
// canary up to the middle level. Where stable has much less, as in a watch, what follows
// does not hold exactly: the law is then a mixture of wide and narrow parts, and a bad
// canary may lie between two alternatives.
func (r record) balanced() record {
	for i := range r.samples {
		s := &r.samples[i].Stable
		n := r.samples[i].Canary.Requests
		s.Requests += n
		s.Latency.Counts = slices.Clone(s.Latency.Counts)
		s.Latency.Counts[0] += n
	}
	return r
}

// worse are the samples with more errors of the canary in the last one.
func (r record) worse(t *rapid.T) []judge.Sample {
	samples := slices.Clone(r.samples)
	last := &samples[len(samples)-1].Canary
	last.Errors += rapid.Int64Range(0, last.Requests-last.Errors).Draw(t, "more errors")
	return samples
}

var severity = map[judge.Kind]int{judge.Pass: 0, judge.Hold: 1, judge.Fail: 2}

// Of the last sample, that is: one more in an earlier one may end a prolonged block
// sooner, after which the comparison is another one.
func TestMoreBadRequestsAreMoreEvidenceOfHarm(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRecord(t).balanced()
		a, b := r.run(r.samples), r.run(r.worse(t))
		if a.Evidence() > b.Evidence()*unevenness {
			t.Errorf("the evidence fell from %v to %v", a.Evidence(), b.Evidence())
		}
		if a, b := a.Decide(r.end()), b.Decide(r.end()); severity[b.Kind] < severity[a.Kind] {
			t.Errorf("%+v became %+v", a, b)
		}
	})
}

// However much traffic there is: far below what is expected every alternative is next to
// impossible, and none may gain by that.
func TestACanaryWithoutABadRequestIsNeverHeldToBeWorse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRecord(t)
		for i := range r.samples {
			c := &r.samples[i].Canary
			c.Errors, c.Latency.Counts = 0, []int64{c.Requests, 0, 0}
		}
		if e := r.run(r.samples).Evidence(); e > 1 {
			t.Errorf("the evidence is %v", e)
		}
	})
}

// Of the last sample, for the same reason as above.
func TestMoreBadRequestsNeverHelpTheProof(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRecord(t)
		a, b := r.run(r.samples).Verdict(r.end()), r.run(r.worse(t)).Verdict(r.end())
		if less, more := a.Metrics[0].Proof, b.Metrics[0].Proof; more > less+0.01 {
			t.Errorf("the proof rose from %v to %v", less, more)
		}
	})
}

// Which of two canaries that fail at steady rates is the worse does not depend on how
// much traffic there is. Below 1 the evidence is none: a canary as good as stable may have
// less than one that is far better.
func TestTheWorseCanaryHasMoreEvidenceAtAnyTraffic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRecord(t).balanced()
		x := r.samples[0]
		x.Canary.Latency, x.Stable.Latency = judge.Histogram{}, judge.Histogram{}
		errors := func(who string, of int64, most float64) int64 {
			return int64(float64(of) * rapid.Float64Range(0, most).Draw(t, who))
		}
		bad := []int64{errors("one", x.Canary.Requests, 0.3), errors("other", x.Canary.Requests, 0.3)}
		slices.Sort(bad)
		x.Stable.Errors = errors("stable", x.Stable.Requests, 0.02)
		for _, scale := range []int64{1, 3, 10, 100} {
			judges := []*judge.Judge{r.opening.Judge(), r.opening.Judge()}
			for i := range r.samples {
				for k, j := range judges {
					s := x
					s.At = r.samples[i].At
					s.Stable.Requests, s.Stable.Errors = scale*x.Stable.Requests, scale*x.Stable.Errors
					s.Canary.Requests, s.Canary.Errors = scale*x.Canary.Requests, scale*bad[k]
					j.Observe(s)
				}
				if better, worse := judges[0].Evidence(), max(1, judges[1].Evidence()); better > worse*unevenness {
					t.Fatalf("at %d times the traffic, sample %d: %d errors have evidence %v, and %d have %v", scale, i, bad[0], better, bad[1], worse)
				}
			}
		}
	})
}
