package main

import (
	"math"
	"strings"
	"testing"
	"time"
)

// known are costs with which one can reckon by heart.
func known() *units {
	return &units{
		Waiting: cost{Views: 1, Database: 1e-3}, Connections: 3,
		Look: cost{Views: 1, Database: 1e-4}, LookTask: cost{Database: 1e-7},
		Held: cost{Views: 1, Database: 1e-4}, SignsPerSecond: 1,
		Target: cost{Rows: 2, Bytes: 200},
		Releases: []releaseUnits{
			{Regions: 1, Release: cost{Updates: 20, Rows: 40, Bytes: 10_000, Database: 0.02}, Sample: cost{Updates: 1, Rows: 1, Bytes: 200, Database: 1e-3, Log: 1000}, LineBytes: 6000},
			{Regions: 11, Release: cost{Updates: 220, Rows: 440, Bytes: 110_000, Database: 0.3}, Sample: cost{Updates: 1, Rows: 1, Bytes: 200, Database: 3e-3, Log: 3000}, LineBytes: 66_000},
		},
	}
}

func simple() load {
	return load{
		Regions: 10, Services: 100, Releases: 86_400, Peak: 2, Mix: []part{{1, 1}}, Canary: 300 * time.Second, Watch: 300 * time.Second, Interval: 15 * time.Second,
		Workers: 1, Places: 1000, KeepSamples: 10, KeepEvents: 100, Years: 1, DriftEvery: 100 * time.Second,
	}
}

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > 1e-9*math.Max(1, math.Abs(want)) {
		t.Errorf("%s: %v, not %v", what, got, want)
	}
}

func TestNeedsAreWhatOneReckonsByHeart(t *testing.T) {
	n := simple().needs(known())
	// Two releases a second, each of 20 updates and of 40 samples in its one region.
	near(t, "updates", n.Second.Updates, 2*20+2*40)
	near(t, "regions under way", n.Legs, 2*40*15)
	near(t, "looks", n.Looks, 120*10)
	// Of 15 signs of a held task, a report stands for one.
	held := 1200 * (1 - 1.0/15)
	near(t, "views", n.Second.Views, held+10+1200)
	near(t, "PostgreSQL", n.Second.Database, 2*0.02+80*1e-3+held*1e-4+10*(1e-3+1200*1e-7)+1200*1e-4)
	near(t, "log", n.Second.Log, 80*1000)
	near(t, "rows of a day", n.Day.Rows, 86_400*(40+40))
	near(t, "samples kept", n.KeptSamples, 86_400*40*200*10)
	near(t, "events kept", n.KeptEvents, 86_400*6000*100)
	near(t, "the rest kept", n.KeptRest, 86_400*4000*365+100*200)
	near(t, "connections", n.Connections, 30)
	near(t, "looks for drift", n.Drift, 1)
}

func TestWorkersThatHaveNotPlacesEnoughAreMore(t *testing.T) {
	l, u := simple(), known()
	l.Places = 60 // of 1200 that are needed
	n := l.needs(u)
	near(t, "workers", n.Workers, 20)
	near(t, "connections", n.Connections, 60)
	for _, w := range l.walls(u, assumed()) {
		if w.Name == "places of workers" && math.Abs(w.At-0.5) > 1e-9 {
			t.Errorf("ten workers have places for half of it, and the wall is %+v", w)
		}
	}
}

func TestWhatIsKeptIsNotOlderThanTheDatabase(t *testing.T) {
	l := simple()
	l.Years = 0.01
	near(t, "events kept", l.needs(known()).KeptEvents, 86_400*6000*3.65)
}

func TestBetweenMeasuredRegionsCostsLieOnTheLine(t *testing.T) {
	u := known()
	near(t, "at 1", u.sample(1).Database, 1e-3)
	near(t, "at 6", u.sample(6).Database, 2e-3)
	near(t, "at 11", u.sample(11).Database, 3e-3)
	near(t, "a release to 6", u.release(6, 10).Updates, 120+(10+110)/2)
}

func TestLooksGrowWithTheSquareOfTheLoad(t *testing.T) {
	l := simple()
	one := l.needs(known())
	l.Releases, l.Regions = 2*l.Releases, 2*l.Regions
	if two := l.needs(known()); two.Looks < 3.9*one.Looks {
		t.Errorf("twice the releases and workers make %v looks of %v", two.Looks, one.Looks)
	}
}

func TestTheFirstWallIsWhereTheLimitIsReached(t *testing.T) {
	l, u := simple(), known()
	lim := limits{Cores: 10, Busy: 0.7, ServerCores: 8, Servers: 8, Log: 800_000, Disk: 1e15, Wire: 1e12, Drift: 0.5}
	walls := l.walls(u, lim)
	if walls[0].Name != "looks for drift" || walls[0].At != 0 {
		t.Errorf("the first wall is %+v, and drift is too much whatever is released", walls[0])
	}
	at := map[string]wall{}
	for _, w := range walls {
		at[w.Name] = w
	}
	near(t, "the log's wall", at["PostgreSQL's log"].At, 10)
	l.Releases *= at["PostgreSQL's processors"].At
	near(t, "PostgreSQL at its wall", l.needs(u).Second.Database, 7)
	if !math.IsInf(at["the network to PostgreSQL"].At, 1) {
		t.Errorf("a network that nothing goes through has a wall: %+v", at["the network to PostgreSQL"])
	}
}

func TestALoadBeyondWhatWasMeasuredIsRefused(t *testing.T) {
	l := simple()
	l.Mix = []part{{1, 12}}
	if err := l.validate(known()); err == nil || !strings.Contains(err.Error(), "12 regions") {
		t.Errorf("it says %v", err)
	}
	l.Mix = []part{{0.5, 1}, {0.4, 11}}
	if err := l.validate(known()); err == nil {
		t.Error("a load of nine tenths is taken")
	}
}

func TestWhereThereAreFewerRegionsReleasesGoToAllOfThem(t *testing.T) {
	l := asked()
	few := l.in(20)
	if got := few.Mix[2].Regions; got != 20 || few.Mix[1].Regions != 10 || l.Mix[2].Regions != 200 {
		t.Errorf("in 20 regions the mix is %v, of %v", few.Mix, l.Mix)
	}
}
