package world

import (
	"math"

	"github.com/fairwayhq/fairway/internal/judge"
)

// History is the stable version's past, by instance and minute, with the same noise
// but without incidents. Asking for it changes nothing in the world.
func (w *World) History(minutes int) judge.History {
	g := newGenerator(w.seed, ofHistory)
	n := &w.Noise
	instances := min(w.Service.Instances, judge.MaxInstances)
	h := judge.History{Bounds: Bounds, Instances: make([]judge.InstanceHistory, instances)}
	past := make([]pastInstance, instances)
	for i := range past {
		past[i].errors.value, past[i].latency.value = g.NormFloat64(), g.NormFloat64()
	}
	var errors, slow process
	errors.value, slow.value = g.NormFloat64(), g.NormFloat64()
	requests := w.Service.Rate / float64(w.Service.Instances) * 60
	var shares [buckets]float64
	for m := range minutes {
		for i := range past {
			past[i].minute = weather{}
		}
		for s := range stretches {
			now := float64(m)*60 + float64(s)*stretch
			shared := weather{
				errors:  lognormal(n.SharedErrors, errors.step(g, stretch, sharedMemory)),
				latency: n.SharedLatency * slow.step(g, stretch, sharedMemory),
			}
			for i := range past {
				past[i].step(g, n, now, shared, w.stable.lastingErrors[i], w.stable.lastingLatency[i])
			}
		}
		for i := range past {
			now := past[i].minute
			w.latency(&shares, w.Service.Median.Seconds()*math.Exp(now.latency), w.Service.Spread)
			counts, all := make([]int64, buckets), int64(0)
			for b, q := range shares {
				counts[b] = g.poisson(requests * q)
				all += counts[b]
			}
			in := &h.Instances[i]
			in.Latency = append(in.Latency, counts)
			in.Requests = append(in.Requests, all)
			in.Errors = append(in.Errors, g.binomial(all, math.Min(1, w.Service.Errors*now.errors)))
		}
	}
	return h
}

const (
	stretches = 4 // in a minute
	stretch   = 60.0 / stretches
)

// pastInstance is the noise of one instance in the past.
type pastInstance struct {
	errors, latency process
	burst           float64 // its end
	minute          weather // the mean so far
}

func (p *pastInstance) step(g *generator, n *Noise, now float64, shared weather, lastingErrors, lastingLatency float64) {
	x, y := p.errors.step(g, stretch, instanceMemory), p.latency.step(g, stretch, instanceMemory)
	w := weather{
		errors:  shared.errors * math.Exp(lastingErrors) * lognormal(n.InstanceErrors, x),
		latency: shared.latency + lastingLatency + n.InstanceLatency*y,
	}
	if n.BurstEvery > 0 {
		if p.burst <= now && g.Float64() < stretch/n.BurstEvery.Seconds() {
			p.burst = now + g.ExpFloat64()*n.BurstFor.Seconds()
		}
		if p.burst > now {
			w.errors *= n.BurstErrors
			w.latency += math.Log(n.BurstLatency)
		}
	}
	w.errors *= g.gamma(n.TickErrors * n.TickErrors * tick / stretch)
	p.minute.errors += w.errors / stretches
	p.minute.latency += w.latency / stretches
}
