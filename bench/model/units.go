package main

import "sort"

// units are what was measured, and all that the model knows.
type units struct {
	// Idle is a server that nobody asks anything, a second.
	Idle cost
	// Waiting is a worker that waits for tasks, a second. Connections are what it keeps
	// open meanwhile.
	Waiting     cost
	Connections float64
	// Look is what a waiting worker does after each transaction that writes, and LookTask how
	// much more its second costs for each task that there is, whoever has it.
	Look, LookTask cost
	// Held is a task in a worker's hands, a second, and Holder a worker that has some.
	// SignsPerSecond are the signs of life of one such task, where they are its own.
	Held, Holder   cost
	SignsPerSecond float64
	// Releases are the costs by the number of regions, rising.
	Releases []releaseUnits
	// Target is what stays of each target for ever, from its first release on.
	Target cost
}

// releaseUnits is a release to so many regions.
type releaseUnits struct {
	Regions int
	// Release is one release with no sample; Sample is one sample of one of its regions,
	// which is one report.
	Release, Sample cost
	// Lines are those of the ledger of a release, LineBytes what of its bytes they are, which
	// --keep-events removes.
	Lines, LineBytes float64
	// Run is the size of its run as stored, in bytes before it is packed.
	Run float64
}

// release is what a release costs in which each region has so many samples; between two
// measured numbers of regions it is on the line between them.
func (u *units) release(regions int, samples float64) cost {
	return u.between(regions, func(r releaseUnits) cost {
		return r.Release.plus(samples*float64(r.Regions), r.Sample)
	})
}

// sample is what one sample of a release to so many regions costs.
func (u *units) sample(regions int) cost {
	return u.between(regions, func(r releaseUnits) cost { return r.Sample })
}

// lineBytes are those of the ledger of a release.
func (u *units) lineBytes(regions int) float64 {
	return u.between(regions, func(r releaseUnits) cost { return cost{Bytes: r.LineBytes} }).Bytes
}

func (u *units) between(regions int, of func(releaseUnits) cost) cost {
	all := u.Releases
	at := sort.Search(len(all), func(i int) bool { return all[i].Regions >= regions })
	switch {
	case at == len(all):
		return of(all[len(all)-1]) // validate refuses more regions than were measured
	case all[at].Regions == regions || at == 0:
		return of(all[at])
	}
	low, high := all[at-1], all[at]
	part := float64(regions-low.Regions) / float64(high.Regions-low.Regions)
	return of(low).plus(part, of(high).plus(-1, of(low)))
}
