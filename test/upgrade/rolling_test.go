package upgrade

import (
	"flag"
	"fmt"
	"testing"
	"time"
)

var (
	releases = flag.Int("releases", 20, "how many releases run while server and worker are replaced")
	from     = flag.String("from", "", "the build that is replaced; without it, today's code under another version")
)

// The servers and the worker are replaced, one after the other, while releases are at every
// point of their canaries, and every release ends as it would have: good ones at home, bad
// ones taken back.
func TestRollingServerAndWorkerChangesNoOutcome(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes a minute of real processes")
	}
	built := makeBuilds(t)
	t.Run("sqlite", func(t *testing.T) { roll(t, newFleet(t, built, 1, "")) })
	t.Run("postgres", func(t *testing.T) { roll(t, newFleet(t, built, 2, database(t))) })
}

func roll(t *testing.T, f *fleet) {
	began := time.Now()
	f.ship("v1", func(int) string { return "shop" }, "[deploy]")
	// The first are still under way when the last is shipped, however many there are and however
	// busy the machine is: each is watched for as long as that takes.
	watched := max(5*time.Second, time.Since(began))
	f.await(time.Duration(1+*releases/20)*time.Minute, "v1")
	f.ship("v2", func(n int) string {
		if bad(n) {
			return "bad"
		}
		return "good"
	}, "[{canary: {margin: {errors: 20pp, latency: 1000%}, budget: 1000, block: 1s, warmUp: 1s, firstWeight: 20%, every: 1s, dwell: 1s, observation: 3m, minimumSamples: 20}}, "+
		fmt.Sprintf("{watch: {for: %.0fs, holdback: 20%%, margin: {errors: 20pp, latency: 1000%%}, block: 1s, warmUp: 1s, minimumSamples: 20}}]", watched.Seconds()))

	for n, server := range f.servers {
		f.under(midFlight(f.size))
		took := f.stop(server)
		f.servers[n] = f.follow(server)
		f.ready(n)
		t.Logf("%s gone after %s", server.Name, took.Round(10*time.Millisecond))
	}
	f.under(midFlight(f.size))
	took := f.stop(f.worker)
	if *from == "" { // before that was so, leases had to run out
		f.nothingLeased()
	}
	f.worker = f.follow(f.worker, "second")
	t.Logf("worker gone after %s", took.Round(10*time.Millisecond))

	f.await(time.Duration(3+*releases/10)*time.Minute, "v2")
	for n := range *releases {
		r := f.release(n, "v2")
		want := "succeeded"
		if bad(n) {
			want = "rolled-back"
		}
		if string(r.State) != want {
			t.Errorf("%s ended %s, not %s: %s", r.ID, r.State, want, f.why(r.ID))
		}
		if v, err := f.api.Verify(t.Context(), r.ID); err != nil || !v.OK {
			t.Errorf("the chain of %s: %v %s", r.ID, err, v.Broken)
		}
	}
}

// midFlight is how many of so many releases are at least under way with traffic when a server or
// the worker is replaced: a quarter, and not less than five.
func midFlight(releases int) int { return min(releases, max(5, releases/4)) }

// bad is every fourth release.
func bad(n int) bool { return n%4 == 3 }
