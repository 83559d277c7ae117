package world

import (
	"math"
	"reflect"
	"testing"
	"time"
)

// live runs a world at a fixed weight and hands over each tick.
func live(w *World, length time.Duration, weight float64, instances int, each func(*Done)) {
	for w.Now() < length {
		each(w.Step(weight, instances))
	}
}

func near(t *testing.T, what string, got, want, relative float64) {
	t.Helper()
	if math.Abs(got-want) > relative*want {
		t.Errorf("%s is %v, want %v within %v %%", what, got, want, 100*relative)
	}
}

var busy = Services[3]

func TestRatesAreWhatTheServiceSays(t *testing.T) {
	for _, n := range []Noise{IID, Mild} {
		var stable, canary Counts
		for seed := range uint64(12) {
			w := New(busy, n, AA, seed)
			live(w, 30*time.Minute, 0.25, 30, func(d *Done) {
				stable.add(&d.Stable)
				canary.add(&d.Canary)
			})
		}
		all, seconds := float64(stable.Requests+canary.Requests), 12*1800.0
		near(t, n.Name+": requests per second", all/seconds, busy.Rate, 0.2)
		near(t, n.Name+": the canary's share", float64(canary.Requests)/all, 0.25, 0.01)
		near(t, n.Name+": stable's errors", float64(stable.Errors)/float64(stable.Requests), busy.Errors, 0.1)
		near(t, n.Name+": the canary's errors", float64(canary.Errors)/float64(canary.Requests), busy.Errors, 0.1)
		slow := float64(stable.Latency[7]+stable.Latency[8]+stable.Latency[9]+stable.Latency[10]+stable.Latency[11]) / float64(stable.Requests)
		near(t, n.Name+": requests above 500 ms", slow, survival(math.Log(500.0/80)/busy.Spread), 0.1)
	}
}

// correlation is that of a series with itself some ticks later.
func correlation(x []float64, lag int) float64 {
	mean, cov, variance := 0.0, 0.0, 0.0
	for _, v := range x {
		mean += v / float64(len(x))
	}
	for i, v := range x {
		variance += (v - mean) * (v - mean)
		if i+lag < len(x) {
			cov += (v - mean) * (x[i+lag] - mean)
		}
	}
	return cov / variance
}

func TestNoiseHasAMemory(t *testing.T) {
	for _, tc := range []struct {
		noise       Noise
		least, most float64
	}{{IID, -0.1, 0.1}, {Mild, 0.3, 1}, {Harsh, 0.2, 1}} {
		var rates []float64
		live(New(busy, tc.noise, AA, 3), 3*time.Hour, 0.5, 30, func(d *Done) {
			rates = append(rates, math.Log(float64(d.Stable.Errors+1)/float64(d.Stable.Requests+1)))
		})
		if c := correlation(rates, 3); c < tc.least || c > tc.most {
			t.Errorf("%s: the error rates of ticks 15 s apart correlate by %.2f, want %v to %v", tc.noise.Name, c, tc.least, tc.most)
		}
	}
}

func TestTheSeedIsAll(t *testing.T) {
	run := func(seed uint64) (all []Reading) {
		w := New(Services[2], Harsh, Tail100, seed)
		m := w.Monitor(15 * time.Second)
		w.LookAtInstances()
		w.History(10) // asking changes nothing
		live(w, 20*time.Minute, 0.1, 3, func(d *Done) {
			m.Add(d)
			if m.Due(w.Now()) {
				all = append(all, m.Read(w.Now(), 0.1))
			}
		})
		return all
	}
	a, b, c := run(1), run(1), run(2)
	different := false
	for i := range a {
		if !reflect.DeepEqual(a[i], b[i]) {
			t.Fatalf("reading %d differs between two runs of one seed", i)
		}
		different = different || !reflect.DeepEqual(a[i], c[i])
	}
	if !different {
		t.Error("two seeds make the same world")
	}
}

// What a restart takes away makes an increment smaller, never negative; what a lost
// scrape does not show comes with the next.
func TestScrapesLoseNothingAndInventNothing(t *testing.T) {
	n := Harsh
	n.RestartEvery = time.Minute
	w := New(Services[2], n, Errors3, 7)
	m := w.Monitor(15 * time.Second)
	var lived, read Counts
	lost, shrunk := 0, 0
	live(w, 2*time.Hour, 0.5, 5, func(d *Done) {
		lived.add(&d.Canary)
		m.Add(d)
		if !m.Due(w.Now()) {
			return
		}
		r := m.Read(w.Now(), 0.5)
		if r.Lost {
			lost++
			if s := r.Sample(time.Time{}); s.Missing == "" {
				t.Error("a lost scrape is no missing sample")
			}
			return
		}
		read.add(&r.Canary)
		if r.CanaryWarm < r.CanaryInstances {
			shrunk++
		}
		for _, c := range []Counts{r.Stable, r.Canary} {
			sum := int64(0)
			for i, v := range c.Latency {
				if v < 0 || c.Warm[i] > v {
					t.Fatalf("a bucket has %d requests, %d of them warm", v, c.Warm[i])
				}
				sum += v
			}
			if c.Errors < 0 || c.Errors > c.Requests || sum != c.Requests {
				t.Fatalf("%d errors and %d answers in %d requests", c.Errors, sum, c.Requests)
			}
		}
	})
	read.add(&m.pending.Canary)
	if read != lived {
		t.Errorf("the scrapes read %+v of %+v", read, lived)
	}
	if lost == 0 || shrunk == 0 {
		t.Errorf("%d scrapes were lost, %d saw an instance that had just restarted", lost, shrunk)
	}
}

func TestRestartsHideCounts(t *testing.T) {
	count := func(every time.Duration) (n int64) {
		noise := IID
		noise.RestartEvery = every
		live(New(busy, noise, AA, 1), time.Hour, 0.5, 1, func(d *Done) { n += d.Canary.Requests })
		return n
	}
	// One instance that restarts every ten seconds loses half of every other tick.
	if whole, some := count(0), count(10*time.Second); float64(some) > 0.85*float64(whole) {
		t.Errorf("with restarts %d requests are counted, without %d", some, whole)
	}
}

func TestAnIncidentHitsBothArms(t *testing.T) {
	n := IID
	n.Incident, n.IncidentErrors, n.IncidentLat = 1, 10, 1.4
	w := New(busy, n, AA, 5)
	var before, during [2]Counts
	live(w, 70*time.Minute, 0.5, 30, func(d *Done) {
		into := &before
		if w.now > w.incident+tick && w.now <= w.over {
			into = &during
		} else if w.now > w.incident {
			return
		}
		into[0].add(&d.Stable)
		into[1].add(&d.Canary)
	})
	for i := range before {
		rate := func(c Counts) float64 { return float64(c.Errors) / float64(c.Requests) }
		near(t, "the rise in an incident", rate(during[i])/rate(before[i]), 10, 0.05)
	}
}

func TestANewInstanceIsColdAtFirst(t *testing.T) {
	w := New(busy, IID, AA, 1)
	m := w.Monitor(30 * time.Second)
	slow := func(c *Counts) float64 { return float64(c.Latency[7]+c.Latency[8]) / float64(c.Requests) }
	var first, late Reading
	live(w, 5*time.Minute, 0.1, 6, func(d *Done) {
		m.Add(d)
		if m.Due(w.Now()) {
			late = m.Read(w.Now(), 0.1)
			if first.At == 0 {
				first = late
			}
		}
	})
	if slow(&first.Canary) < 3*slow(&first.Stable) || first.CanaryWarm != 0 || first.Canary.Warm != [buckets]int64{} {
		t.Errorf("in its first half minute %.4f of the canary's answers are slow, %d instances warm", slow(&first.Canary), first.CanaryWarm)
	}
	if late.CanaryWarm != 6 || late.Canary.Warm != late.Canary.Latency {
		t.Error("after five minutes it is still cold")
	}
	near(t, "the canary's share of slow answers", slow(&late.Canary), slow(&late.Stable), 0.2)
}
