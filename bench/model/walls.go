package main

import (
	"math"
	"slices"
)

// limits are what one PostgreSQL and its network may be given. They are assumptions, and
// said in the output.
type limits struct {
	// Cores are processors of PostgreSQL's machine, and Busy the part of them that may be
	// in use in the busiest hour.
	Cores, Busy float64
	// ServerCores are those of one server, of which there are at most Servers.
	ServerCores, Servers float64
	// Log are bytes a second that a disk takes as a log, Disk the bytes that it holds.
	Log, Disk float64
	// Wire are bytes a second between the servers and the database.
	Wire float64
	// Drift are looks for drift a second: one server asks for one after the other.
	Drift float64
}

// assumed are the limits of docs/scale.md: a large machine as one can rent it.
func assumed() limits {
	return limits{Cores: 64, Busy: 0.7, ServerCores: 8, Servers: 20, Log: 500e6, Disk: 16e12, Wire: 0.7 * 25e9 / 8, Drift: 100}
}

// wall is something that comes to its limit.
type wall struct {
	Name, Unit  string
	Need, Limit float64
	// At is at how many times the load's releases a day the limit is reached; +Inf where
	// releases have no part in it and it is not, 0 where it is reached without any.
	At float64
}

// walls are all of them, the first one first.
func (l load) walls(u *units, lim limits) []wall {
	all := []struct {
		name, unit string
		limit      float64
		need       func(need) float64
	}{
		{"PostgreSQL's processors", "cores", lim.Cores * lim.Busy, func(n need) float64 { return n.Second.Database }},
		{"the servers' processors", "cores", lim.ServerCores * lim.Servers * lim.Busy, func(n need) float64 { return n.Second.Server }},
		{"PostgreSQL's log", "MB/s", lim.Log, func(n need) float64 { return n.Second.Log }},
		{"the database's disk", "TB", lim.Disk, func(n need) float64 { return n.Kept }},
		{"the network to PostgreSQL", "MB/s", lim.Wire, func(n need) float64 { return n.Second.DatabaseWire }},
		{"looks for drift", "/s", lim.Drift, func(n need) float64 { return n.Drift }},
		{"the turn of a service", "of the time", lim.Busy, func(n need) float64 { return n.Turn }},
		{"places of workers", "", float64(l.Regions * l.Workers * l.Places), func(n need) float64 { return n.Legs }},
		{"the lane of a service", "of the time", lim.Busy, func(n need) float64 { return n.Lane }},
	}
	now := l.needs(u)
	var walls []wall
	for _, w := range all {
		at := reached(func(times float64) bool {
			scaled := l
			scaled.Releases *= times
			return w.need(scaled.needs(u)) > w.limit
		})
		walls = append(walls, wall{Name: w.name, Unit: w.unit, Need: w.need(now), Limit: w.limit, At: at})
	}
	slices.SortStableFunc(walls, func(a, b wall) int {
		switch {
		case a.At < b.At:
			return -1
		case a.At > b.At:
			return 1
		}
		return 0
	})
	return walls
}

// The least and the most of the load that is looked at.
const (
	leastTimes = 1e-6
	mostTimes  = 1e6
)

// reached is the least factor at which what grows with it is above its limit.
func reached(above func(times float64) bool) float64 {
	low, high := leastTimes, mostTimes
	switch {
	case above(low):
		return 0
	case !above(high):
		return math.Inf(1)
	}
	for range 60 {
		middle := math.Sqrt(low * high)
		if above(middle) {
			high = middle
		} else {
			low = middle
		}
	}
	return high
}
