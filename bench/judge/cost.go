package main

import (
	"testing"
	"time"

	"github.com/fairwayhq/fairway/bench/judge/world"
	"github.com/fairwayhq/fairway/internal/bar"
	"github.com/fairwayhq/fairway/internal/judge"
)

// cost is what one update of four metrics takes: errors and three latency thresholds.
type cost struct{ microseconds, allocations float64 }

// costOfJudging measures a judge in the middle of a canary, sample by sample, so far
// apart. The rarer they are, the more often one of them ends a block, which costs more.
func costOfJudging(interval time.Duration) cost {
	update := updates(interval)
	result := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for i := range b.N {
			update(i)
		}
	})
	return cost{
		microseconds: float64(result.T.Nanoseconds()) / float64(result.N) / 1000,
		allocations:  float64(result.AllocsPerOp()),
	}
}

// updates makes a judge that has seen its first blocks, and what gives it one sample more.
func updates(interval time.Duration) func(i int) {
	set := judge.DefaultSettings()
	w := world.New(world.Services[2], world.IID, world.AA, 1)
	c := judge.Calibrate(w.History(120), set, 200, 1)
	start := time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC)
	j := judge.New(set, c, start)
	m := w.Monitor(max(interval, world.Tick))
	var samples []judge.Sample
	for len(samples) < 200 {
		m.Add(w.Step(0.5, 5))
		if m.Due(w.Now()) {
			r := m.Read(w.Now(), 0.5)
			samples = append(samples, r.Sample(start))
		}
	}
	at := start
	update := func(i int) {
		s := samples[i%len(samples)]
		at = at.Add(interval)
		s.At = at
		j.Observe(s)
		j.Decide(at)
	}
	for i := range samples {
		update(i) // the first blocks make what the later ones use
	}
	return update
}

func (c cost) bars() []bar.Bar {
	return []bar.Bar{
		bar.AtMost("judge_microseconds", c.microseconds, "µs", 20),
		bar.AtMost("judge_allocations", c.allocations, "", 0),
	}
}
