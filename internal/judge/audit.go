package judge

import (
	"math"
	"math/rand/v2"
	"strconv"
	"time"
)

// Audit is the judge's test on itself: imaginary canaries, made of stable's own
// instances over the history, none of which should be taken back.
type Audit struct {
	// Canaries is how many were replayed, over all metrics.
	Canaries int `json:"canaries,omitempty"`
	// Highest is the largest evidence that any reached under the final noise law.
	Highest float64 `json:"highest,omitempty"`
	// Tempered is how many metrics had to be judged more cautiously.
	Tempered int `json:"tempered,omitempty"`
}

// temper is the ladder of caution: factors of τ² and of the clip.
var temper = []struct{ tau, clip float64 }{{1, 1}, {2, 0.85}, {4, 0.7}, {8, 0.5}}

const (
	auditSplits   = 4
	auditEvidence = 100
)

// audit replays the regression test of each metric and raises its noise in c while
// any imaginary canary gets near a rollback.
func audit(h History, s Settings, c *Calibration, seed uint64) Audit {
	var a Audit
	if len(h.used()) < 2 || h.Minutes() < leastHistory {
		return a
	}
	block := s.Block.Seconds()
	s.Block = max(s.Block, time.Minute) // history has no finer blocks
	s.MaxBlock, s.OnsetHorizon = max(s.MaxBlock, s.Block), max(s.OnsetHorizon, s.Block)
	errors := h.errors()
	errors.trims = true
	metrics := []struct {
		series series
		noise  *Noise
		make   func() *track
	}{{errors, &c.Errors, func() *track {
		t := errorTrack(&s, c)
		t.rules.bursts = burstsIn(c.Errors, block)
		return t
	}}}
	for i := range c.Latency {
		metrics = append(metrics, struct {
			series series
			noise  *Noise
			make   func() *track
		}{h.slower(c.Latency[i].Bound), &c.Latency[i].Noise, func() *track { return latencyTrack(&s, c, c.Latency[i]) }})
	}
	for i := range c.Custom {
		if past, begin, ok := c.Custom[i].audited(h, &s); ok {
			metrics = append(metrics, struct {
				series series
				noise  *Noise
				make   func() *track
			}{past, &c.Custom[i].Noise, begin})
		}
	}
	random := rand.New(rand.NewPCG(seed, 123))
	for _, m := range metrics {
		canaries := imaginary(m.series, random)
		a.Canaries += len(canaries)
		for step, t := range temper {
			m.noise.TauFactor, m.noise.ClipFactor = t.tau, t.clip
			highest := 0.0
			for _, canary := range canaries {
				highest = math.Max(highest, replay(m.make(), canary))
			}
			if highest <= auditEvidence || step == len(temper)-1 {
				a.Highest = math.Max(a.Highest, highest)
				if step > 0 {
					a.Tempered++
				}
				break
			}
		}
	}
	return a
}

// imaginary cuts canaries of a half and of a quarter of the instances.
func imaginary(s series, random *rand.Rand) []halves {
	order := make([]int, len(s.all))
	for i := range order {
		order[i] = i
	}
	var out []halves
	for k := range auditSplits {
		random.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		n := len(order) / 2
		if k%2 == 1 {
			n = max(1, len(order)/4)
		}
		o := append([]int(nil), order...)
		out = append(out, halves{series: s, first: o[:n], second: o[n:]})
	}
	return out
}

// replay is the largest evidence of the imaginary canary.
func replay(t *track, h halves) float64 {
	t.rules.bare = true
	t.CanaryInstances, t.StableInstances = len(h.first), len(h.second)
	top := 0.0
	told := h.trims
	h.trims = false // the track does that itself
	for m := range h.minutes() {
		if told {
			t.attribute(h.errorsBy(h.first, m))
		}
		t.fold(float64(m)*blockMinute, float64(m+1)*blockMinute, h.counts(m, m+1), 0.5)
		top = math.Max(top, t.Harm.evidence())
	}
	return top
}

// errorsBy are the bad events of the instances in a minute.
func (h halves) errorsBy(instances []int, minute int) []InstanceErrors {
	by := []InstanceErrors{}
	for _, i := range instances {
		if n := h.bad[i][minute]; n > 0 {
			by = append(by, InstanceErrors{Instance: strconv.Itoa(i), Errors: int64(n)})
		}
	}
	return by
}
