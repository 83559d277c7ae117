package main

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/fairwayhq/fairway/bench/judge/play"
	"github.com/fairwayhq/fairway/bench/judge/rival"
	"github.com/fairwayhq/fairway/bench/judge/world"
	"github.com/fairwayhq/fairway/internal/bar"
)

// bars are the promises. One whose cells were not all played is left out.
func bars(r results) []bar.Bar {
	var all []bar.Bar
	add := func(ok bool, b bar.Bar) {
		if ok {
			all = append(all, b)
		}
	}
	for _, n := range []struct {
		noise world.Noise
		most  float64
	}{{world.Real, 0.3}, {world.Harsh, 1}} {
		back, runs, ok := r.pooled(world.Services, n.noise, []world.Scenario{world.AA}, play.WasTakenBack)
		add(ok, bar.AtMost("false_rollback_"+n.noise.Name, 100*share(back, runs), "%", n.most))
	}
	back, runs, ok := r.pooled(busyServices, world.Real, []world.Scenario{world.Immaterial}, play.WasTakenBack)
	add(ok, bar.AtLeast("immaterial_kept", 100-100*share(back, runs), "%", 98.5))
	ratio, ok := r.harmOver(rival.OracleName)
	add(ok, bar.AtMost("harm_vs_oracle", ratio, "x", 2.5))
	for _, tool := range []struct {
		name, title string
		times       float64
	}{{"harm_vs_flagger", "Flagger", 70}, {"harm_vs_argo", "Argo", 900}, {"harm_vs_kayenta", "Kayenta", 40}} {
		ratio, ok := r.harmOver(tool.title)
		add(ok, bar.AtMost(tool.name, ratio, "x", 1/tool.times))
	}
	promoted, runs, ok := r.pooled(busyServices, world.Real, material(), play.WasPromoted)
	add(ok, bar.AtMost("missed_material", 100*share(promoted, runs), "%", 0.5))
	for _, p := range []struct {
		name    string
		service world.Service
		most    float64
	}{{"promote_seconds_200", world.Services[2], 700}, {"promote_seconds_10000", world.Services[3], 400}} {
		if o := r.of(fairway, p.service, world.Real, world.AA); o != nil {
			add(true, bar.AtMost(p.name, finite(o.Median(play.To95), o.Rules), "s", p.most))
		}
	}
	if o := r.of(fairway, world.Services[1], world.Real, world.AA); o != nil {
		add(true, bar.AtLeast("proven_5", 100*o.Share(provenWithinTheHour), "%", 40))
	}
	return all
}

// provenWithinTheHour: nothing but proof lets a release pass here.
func provenWithinTheHour(r play.Result) bool { return r.Passed <= 3600+world.Tick.Seconds() }

// material are the faults that must never be promoted.
func material() []world.Scenario {
	var m []world.Scenario
	for _, f := range world.Faults {
		if f.Material {
			m = append(m, f)
		}
	}
	return m
}

// pooled counts over Fairway's cells; ok tells whether all of them were played.
func (r results) pooled(services []world.Service, n world.Noise, faults []world.Scenario, is func(play.Result) bool) (count, runs int, ok bool) {
	for _, s := range services {
		for _, f := range faults {
			o := r.of(fairway, s, n, f)
			if o == nil {
				return 0, 0, false
			}
			count += o.Count(is)
			runs += len(o.Results)
		}
	}
	return count, runs, true
}

// leastHarm stands for less: a ratio to almost nothing says nothing.
const leastHarm = 0.5

func harm(o *play.Outcome) float64 { return math.Max(leastHarm, o.Median(play.Harm)) }

// harmOver is the geometric mean, over the compared faults and services, of Fairway's
// median harm over another player's.
func (r results) harmOver(player string) (ratio float64, ok bool) {
	return r.harmRatio(fairway, player, comparedServices)
}

func (r results) harmRatio(player, other string, services []world.Service) (ratio float64, ok bool) {
	sum, n := 0.0, 0
	for _, s := range services {
		for _, f := range compared {
			a, b := r.of(player, s, world.Real, f), r.of(other, s, world.Real, f)
			if a == nil || b == nil {
				return 0, false
			}
			sum += math.Log(harm(a) / harm(b))
			n++
		}
	}
	return math.Exp(sum / float64(n)), true
}

func share(n, of int) float64 { return float64(n) / float64(of) }

// upperBound is the one-sided 95 % bound of a share (Clopper and Pearson, 1934).
func upperBound(n, of int) float64 {
	if n >= of {
		return 1
	}
	return distuv.Beta{Alpha: float64(n) + 1, Beta: float64(of - n)}.Quantile(0.95)
}

// finite puts the run's length where more than half never got there: JSON has no +Inf.
func finite(seconds float64, rules play.Rules) float64 {
	return math.Min(seconds, rules.Length.Seconds())
}
