package main

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/fairwayhq/fairway/internal/worker"
)

// load is what is asked of Fairway.
type load struct {
	Regions, Services int
	// Releases a day, and how many times the day's average its busiest hour has.
	Releases, Peak float64
	// Mix says to how many regions releases go.
	Mix []part
	// Canary is how long a judge takes in a region, Watch how long it looks on after that,
	// and Interval is between two samples.
	Canary, Watch, Interval time.Duration
	// Workers are in each region, and more where they have not Places enough together for what
	// is released to at once.
	Workers, Places int
	// KeepSamples and KeepEvents are the days of --keep-samples and --keep-events; Years is
	// how long the database has been growing.
	KeepSamples, KeepEvents, Years float64
	// DriftEvery is how often each target is to be looked at.
	DriftEvery time.Duration
}

// part is the part of all releases that goes to so many regions.
type part struct {
	Of      float64
	Regions int
}

// asked is the load that docs/scale.md is about.
func asked() load {
	return load{
		Regions: 200, Services: 10_000, Releases: 100_000, Peak: 3,
		Mix:    []part{{0.7, 1}, {0.25, 10}, {0.05, 200}},
		Canary: 10 * time.Minute, Watch: 10 * time.Minute, Interval: interval, Workers: 2, Places: worker.DefaultParallel,
		KeepSamples: 30, KeepEvents: 365, Years: 3, DriftEvery: 5 * time.Minute,
	}
}

// in is the load in so many regions: what goes to more of them goes to all.
func (l load) in(regions int) load {
	l.Regions, l.Mix = regions, slices.Clone(l.Mix)
	for i := range l.Mix {
		l.Mix[i].Regions = min(l.Mix[i].Regions, regions)
	}
	return l
}

func (l load) validate(u *units) error {
	if len(u.Releases) == 0 {
		return fmt.Errorf("no costs were measured")
	}
	most, sum := u.Releases[len(u.Releases)-1].Regions, 0.0
	for _, p := range l.Mix {
		sum += p.Of
		if p.Regions > most {
			return fmt.Errorf("releases to %d regions are asked about, and costs were measured up to %d", p.Regions, most)
		}
	}
	if sum < 0.999 || sum > 1.001 {
		return fmt.Errorf("the parts of all releases come to %g and not to 1", sum)
	}
	return nil
}

// need is what a load needs.
type need struct {
	// Second is a second of the busiest hour.
	Second cost
	// Of it these are the parts: releases and samples, tasks that are held, and workers
	// that wait and look.
	Releases, Samples, Held, Waiting cost
	// Legs are releases in one region: so many are under way at once, and looks of waiting
	// workers come in a second.
	Legs, Looks float64
	// Day is an ordinary day.
	Day cost
	// Kept are the bytes in the database after Years; Samples, Events and the Rest of them.
	Kept, KeptSamples, KeptEvents, KeptRest float64
	// Workers are needed, and their Connections.
	Workers, Connections float64
	// Drift are looks for drift a second.
	Drift float64
	// Turn is the part of the time in which the turn of a service is taken whose release
	// moves in all regions at once; Lane that in which a service's lane is.
	Turn, Lane float64
}

// work is what releases do, without what waiting workers make of it.
type work struct {
	Releases, Samples, Held cost
	// LegSeconds are the seconds for which tasks are held, over all regions.
	LegSeconds float64
}

func (w work) sum() cost { return w.Releases.plus(1, w.Samples).plus(1, w.Held) }

// work computes what so many releases do whose samples are so far apart, by the clock.
func (l load) work(u *units, releases float64, step time.Duration) (w work) {
	for _, p := range l.Mix {
		samples := l.samples()
		legs := releases * p.Of * float64(p.Regions)
		w.Releases = w.Releases.plus(releases*p.Of, u.release(p.Regions, 0))
		w.Samples = w.Samples.plus(legs*samples, u.sample(p.Regions))
		w.LegSeconds += legs * samples * step.Seconds()
	}
	// Of the signs of life of a held task, a report stands for one.
	signs := max(0, 1-1/(step.Seconds()*max(u.SignsPerSecond, 1e-9)))
	w.Held = w.Held.plus(w.LegSeconds*signs, u.Held)
	return w
}

// samples are those of a release in one of its regions.
func (l load) samples() float64 { return (l.Canary + l.Watch).Seconds() / l.Interval.Seconds() }

// waiting is what so many workers make of so many transactions a second, while there are
// so many tasks: each looks after each of them, but no sooner than its last look is over.
func waiting(u *units, workers, updates, tasks float64) (c cost, looks float64) {
	looks = workers * updates
	if busy := u.Look.Server + u.Look.Database; busy > 0 {
		looks = workers * min(updates, 1/busy)
	}
	return cost{}.plus(workers, u.Waiting.plus(tasks, u.LookTask)).plus(looks, u.Look), looks
}

// needs computes what the load needs. Costs are linear in releases, samples and seconds;
// what workers make of them that wait is not.
func (l load) needs(u *units) (n need) {
	const day = 86_400
	w := l.work(u, l.Releases/day*l.Peak, l.Interval)
	n.Releases, n.Samples, n.Legs = w.Releases, w.Samples, w.LegSeconds
	workers := max(float64(l.Regions*l.Workers), math.Ceil(n.Legs/float64(l.Places)))
	n.Held = w.Held.plus(min(workers, n.Legs), u.Holder)
	n.Waiting, n.Looks = waiting(u, workers, w.sum().Updates, n.Legs)
	n.Second = w.Releases.plus(1, w.Samples).plus(1, n.Held).plus(1, n.Waiting)
	n.Day = l.work(u, l.Releases, l.Interval).sum()
	n.Workers, n.Connections = workers, workers*u.Connections
	targets := float64(l.Services) * l.regionsOfService()
	n.Drift = targets / l.DriftEvery.Seconds()
	l.keep(u, &n)
	n.KeptRest += targets * u.Target.Bytes
	n.Kept = n.KeptSamples + n.KeptEvents + n.KeptRest
	for _, p := range l.Mix {
		sample := u.sample(p.Regions)
		n.Turn = max(n.Turn, float64(p.Regions)/l.Interval.Seconds()*(sample.Server+sample.Database))
		n.Lane += l.Releases * p.Of / day / float64(l.Services) * l.samples() * l.Interval.Seconds()
	}
	return n
}

// keep computes what of all releases is in the database after years.
func (l load) keep(u *units, n *need) {
	days := 365 * l.Years
	for _, p := range l.Mix {
		releases, lines := l.Releases*p.Of, u.lineBytes(p.Regions)
		n.KeptSamples += releases * float64(p.Regions) * l.samples() * u.sample(p.Regions).Bytes * min(l.KeepSamples, days)
		n.KeptEvents += releases * lines * min(l.KeepEvents, days)
		n.KeptRest += releases * (u.release(p.Regions, 0).Bytes - lines) * days
	}
}

// regionsOfService is in how many regions a service runs, on average: services are as
// releases are.
func (l load) regionsOfService() (n float64) {
	for _, p := range l.Mix {
		n += p.Of * float64(p.Regions)
	}
	return n
}
