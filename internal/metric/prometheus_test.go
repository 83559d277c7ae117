package metric

import (
	"context"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/fairwayhq/fairway/internal/judge"
)

// lookAt takes samples at the given seconds after start.
func lookAt(t testing.TB, p *Prometheus, seconds ...int) []judge.Sample {
	t.Helper()
	var samples []judge.Sample
	var cursor []byte
	for _, s := range seconds {
		sample, next, err := p.Sample(context.Background(), askAt(start.Add(time.Duration(s)*time.Second)), cursor)
		if err != nil {
			t.Fatalf("look at %d s: %v", s, err)
		}
		samples, cursor = append(samples, sample), next
	}
	return samples
}

// Behind the counters of a gateway are the instances that the platform knows of.
func TestAGatewayCountsForAllInstances(t *testing.T) {
	p := openFake(t, &fakeStore{[]promSeries{
		longAgo, line("requests_total", "r1", "gateway", 0, 100, 110, 125), line("requests_total", "r2", "gateway", 0, 7, 8, 9),
		line("errors_total", "r1", "gateway", 0, 5, 6, 6), line("errors_total", "r2", "gateway", 0, 0, 1, 1),
	}})
	for _, c := range []struct {
		label                  string
		canary, stable, warm   int
		wantCanary, wantStable int
	}{
		{"none", 3, 5, 5, 3, 5}, {"none", 0, 0, 1, 1, 1}, {"", 3, 5, 1, 1, 1},
	} {
		p.config.Instance = c.label
		ask := askAt(start.Add(18 * time.Second))
		ask.WarmUp = time.Second
		ask.StableInstances, ask.CanaryInstances = c.stable, c.canary
		_, cursor, err := p.Sample(t.Context(), ask, nil)
		if err != nil {
			t.Fatal(err)
		}
		ask.Now = start.Add(48 * time.Second)
		s, _, err := p.Sample(t.Context(), ask, cursor)
		if err != nil || s.Missing != "" {
			t.Fatalf("%v: %s", err, s.Missing)
		}
		if s.Canary.Instances != c.wantCanary || s.Stable.Instances != c.wantStable || s.Stable.WarmInstances != c.warm {
			t.Errorf("label %q, %d and %d instances serve: %+v and %+v", c.label, c.canary, c.stable, s.Canary, s.Stable)
		}
	}
}

func TestPrometheusCountsIncrements(t *testing.T) {
	for _, tc := range []struct {
		name           string
		series         []promSeries
		looks          []int // the cut is 17 s before the look
		stable, canary [2]int64
		instances      int
		missing        string
		young          bool // the store has only begun to fill
	}{
		{
			name: "from one look to the next",
			series: []promSeries{
				line("requests_total", "r1", "a", 0, 100, 110, 125), line("requests_total", "r2", "b", 0, 7, 8, 9),
				line("errors_total", "r1", "a", 0, 5, 6, 6), line("errors_total", "r2", "b", 0, 0, 1, 1),
			},
			looks: []int{18, 48}, stable: [2]int64{25, 1}, canary: [2]int64{2, 1}, instances: 1,
		},
		{
			name: "a reset counts from zero and never below",
			series: []promSeries{
				line("requests_total", "r1", "a", 0, 100, 4, 10), line("requests_total", "r2", "b", 0, 7, 8, 9),
				line("errors_total", "r1", "a", 0, 5, 1, 2),
			},
			looks: []int{18, 48}, stable: [2]int64{10, 2}, canary: [2]int64{2, 0}, instances: 1,
		},
		{
			name: "a series born after the first look counts from zero",
			series: []promSeries{
				line("requests_total", "r1", "a", 0, 100, 100, 100), line("requests_total", "r2", "b", 15*time.Second, 40, 41),
				line("errors_total", "r1", "a", 0, 0, 0, 0),
			},
			looks: []int{18, 48}, canary: [2]int64{41, 0}, instances: 1,
		},
		{
			name: "instances are summed after their increments",
			series: []promSeries{
				line("requests_total", "r1", "a", 0, 100, 110), line("requests_total", "r1", "b", time.Second, 50, 3),
				line("requests_total", "r2", "c", 0, 1, 5), line("errors_total", "r1", "a", 0, 0, 0),
			},
			looks: []int{19, 33}, stable: [2]int64{13, 0}, canary: [2]int64{4, 0}, instances: 2,
		},
		{
			name: "a look between the scrapes of two instances counts both",
			series: []promSeries{
				line("requests_total", "r1", "a", 0, 100, 110, 120), line("requests_total", "r1", "b", 8*time.Second, 50, 53, 56),
				line("requests_total", "r2", "c", 0, 1, 5, 9), line("errors_total", "r1", "a", 0, 0, 0, 0),
			},
			looks: []int{26, 33}, stable: [2]int64{10, 0}, canary: [2]int64{4, 0}, instances: 2,
		},
		{
			name: "an instance that went is counted no longer than two intervals",
			series: []promSeries{
				line("requests_total", "r1", "a", 0, 100, 110, 120, 130), line("requests_total", "r1", "b", 0, 50),
				line("requests_total", "r2", "c", 0, 1, 5, 9, 13), line("errors_total", "r1", "a", 0, 0, 0, 0, 0),
			},
			looks: []int{18, 33, 48}, stable: [2]int64{10, 0}, canary: [2]int64{4, 0}, instances: 1,
		},
		{
			name: "a missed scrape is contained in the next",
			series: []promSeries{
				line("requests_total", "r1", "a", 0, 100, 110, 120), line("requests_total", "r2", "b", 0, 7, failed, 9),
				line("errors_total", "r1", "a", 0, 0, 0, 0),
			},
			looks: []int{18, 33, 48}, stable: [2]int64{20, 0}, canary: [2]int64{2, 0}, instances: 1,
		},
		{
			name: "one arm without a new scrape",
			series: []promSeries{
				line("requests_total", "r1", "a", 0, 100, 110), line("requests_total", "r2", "b", 0, 7),
				line("errors_total", "r1", "a", 0, 0, 0),
			},
			looks: []int{18, 33}, missing: "nothing of the canary arm has been scraped since",
		},
		{
			name:   "one arm that was never there",
			series: []promSeries{line("requests_total", "r1", "a", 0, 100, 110), line("errors_total", "r1", "a", 0, 0, 0)},
			looks:  []int{18, 33}, missing: "the requests query finds nothing of the canary arm (revision r2)",
		},
		{
			name: "nothing at all", young: true,
			looks: []int{18, 33}, missing: "the requests query finds nothing of the stable arm (revision r1)",
		},
		{
			name: "what stable counted before a store began is not taken for new", young: true,
			series: []promSeries{
				line("requests_total", "r1", "a", 0, 100, 110, 120, 130, 140), line("requests_total", "r2", "b", 0, 7, 8, 9, 10, 30),
				line("requests_total", "r1", "slow", 14*time.Second, 5000, 5000, 5000, 5000, 5000),
				line("errors_total", "r1", "a", 0, 0, 0, 0, 1, 3),
			},
			looks: []int{18, 33, 50, 79}, stable: [2]int64{20, 3}, canary: [2]int64{21, 0}, instances: 2,
		},
		{
			name: "more errors than requests",
			series: []promSeries{
				line("requests_total", "r1", "a", 0, 100, 110), line("requests_total", "r2", "b", 0, 7, 9),
				line("errors_total", "r2", "b", 0, 0, 3),
			},
			looks: []int{18, 33}, missing: "the canary arm counts 3 errors in 2 requests",
		},
		{
			name: "not a number",
			series: []promSeries{
				line("requests_total", "r1", "a", 0, 100, 110), line("requests_total", "r2", "b", 0, 7, math.NaN()),
				line("errors_total", "r2", "b", 0, 0, 0),
			},
			looks: []int{18, 33}, missing: `stands at NaN, which is not a number`,
		},
		{
			name: "not a number once is passed over",
			series: []promSeries{
				line("requests_total", "r1", "a", 0, 100, 110, 120), line("requests_total", "r2", "b", 0, 7, math.NaN(), 9),
				line("errors_total", "r2", "b", 0, 0, 0, 0),
			},
			looks: []int{18, 33, 48}, stable: [2]int64{20, 0}, canary: [2]int64{2, 0}, instances: 1,
		},
		{
			name: "backwards at every scrape",
			series: []promSeries{
				line("requests_total", "r1", "a", 0, 100, 110, 120, 130, 140), line("requests_total", "r2", "b", 0, 900, 890, 870, 860, 800),
				line("errors_total", "r2", "b", 0, 0, 0, 0, 0, 0),
			},
			looks: []int{18, 78}, missing: `counts backwards at every scrape`,
		},
		{
			name: "backwards three times is a process that starts anew",
			series: []promSeries{
				line("requests_total", "r1", "a", 0, 100, 110, 120, 130, 140), line("requests_total", "r2", "b", 0, 90, 89, 87, 86, 86),
				line("errors_total", "r2", "b", 0, 0, 0, 0, 0, 0),
			},
			looks: []int{18, 78}, stable: [2]int64{40, 0}, canary: [2]int64{262, 0}, instances: 1,
		},
		{
			name: "below zero",
			series: []promSeries{
				line("requests_total", "r1", "a", 0, 100, 110), line("requests_total", "r2", "b", 0, 7, -3),
				line("errors_total", "r2", "b", 0, 0, 0),
			},
			looks: []int{18, 33}, missing: `stands at -3, and a counter is never below zero`,
		},
		{
			name:   "errors of a name that nothing has",
			series: []promSeries{line("requests_total", "r1", "a", 0, 100, 110), line("requests_total", "r2", "b", 0, 7, 9)},
			looks:  []int{18, 33}, missing: "nothing is named errors_total, as the errors query says",
		},
		{
			name: "no error yet is zero errors where the name is known",
			series: []promSeries{
				line("requests_total", "r1", "a", 0, 100, 110), line("requests_total", "r2", "b", 0, 7, 9),
				line("errors_total", "another", "x", 0, 4, 5),
			},
			looks: []int{18, 33}, stable: [2]int64{10, 0}, canary: [2]int64{2, 0}, instances: 1,
		},
		{
			name: "traffic that does not reach the canary",
			series: []promSeries{
				line("requests_total", "r1", "a", 0, 100, 200, 300, 400, 500), line("requests_total", "r2", "b", 0, 7, 8, 9, 10, 11),
				line("errors_total", "r1", "a", 0, 0, 0, 0, 0, 0),
			},
			looks: []int{18, 33, 48, 63, 78}, missing: "traffic is missing: the canary had 1 requests at a weight of 50 %, while stable had 100",
		},
		{
			name: "traffic that did not reach the canary before the first look",
			series: []promSeries{
				line("requests_total", "r1", "a", 0, 100, 200), line("requests_total", "r2", "b", 0, 7, 8),
				line("errors_total", "r1", "a", 0, 0, 0),
			},
			looks: []int{18, 33}, stable: [2]int64{100, 0}, canary: [2]int64{1, 0}, instances: 1,
		},
		{
			name:   "the clock goes back",
			series: []promSeries{line("requests_total", "r1", "a", 0, 100, 110), line("requests_total", "r2", "b", 0, 7, 9)},
			looks:  []int{33, 18}, missing: "the clock went back",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if !tc.young {
				tc.series = append(tc.series, longAgo)
			}
			samples := lookAt(t, openFake(t, &fakeStore{tc.series}), tc.looks...)
			if first := samples[0].Missing; !tc.young && first != firstLook {
				t.Errorf("the first look says %q", first)
			}
			got := samples[len(samples)-1]
			if tc.missing != "" {
				if !strings.Contains(got.Missing, tc.missing) || got.Stable.Requests != 0 {
					t.Fatalf("got %+v, want Missing %q", got, tc.missing)
				}
				return
			}
			if got.Missing != "" {
				t.Fatalf("Missing is %q", got.Missing)
			}
			if s := [2]int64{got.Stable.Requests, got.Stable.Errors}; s != tc.stable {
				t.Errorf("stable did %v, want %v", s, tc.stable)
			}
			if c := [2]int64{got.Canary.Requests, got.Canary.Errors}; c != tc.canary {
				t.Errorf("canary did %v, want %v", c, tc.canary)
			}
			if got.Stable.Instances != tc.instances {
				t.Errorf("stable has %d instances, want %d", got.Stable.Instances, tc.instances)
			}
			if want := start.Add(time.Duration(tc.looks[len(tc.looks)-1]-17) * time.Second); !got.At.Equal(want) {
				t.Errorf("cut at %s, want %s", got.At, want)
			}
		})
	}
}

// A deploy that gives the canary ten times its weight must not look like missing
// traffic in the samples from before.
func TestPrometheusKnowsTheWeightOfThePast(t *testing.T) {
	p := openFake(t, &fakeStore{[]promSeries{
		longAgo,
		line("requests_total", "r1", "a", 0, 1000, 2000, 3000, 4000), line("requests_total", "r2", "b", 0, 10, 20, 30, 130),
		line("errors_total", "r1", "a", 0, 0, 0, 0, 0),
	}})
	var cursor []byte
	for _, look := range []struct {
		second int
		weight float64
		want   float64
	}{{18, 0.01, 0}, {33, 0.01, 0.01}, {48, 0.1, 0.01}, {63, 0.1, 0.1}} {
		ask := askAt(start.Add(time.Duration(look.second) * time.Second))
		ask.Weight = look.weight
		s, next, err := p.Sample(context.Background(), ask, cursor)
		if err != nil {
			t.Fatal(err)
		}
		if cursor = next; look.want == 0 {
			continue
		}
		if s.Missing != "" || s.Weight != look.want {
			t.Errorf("at %d s: weight %g, missing %q; want weight %g", look.second, s.Weight, s.Missing, look.want)
		}
	}
}

func TestPrometheusLatencyIsThatOfWarmInstances(t *testing.T) {
	buckets := func(revision, pod string, offset time.Duration, fast, all []float64) []promSeries {
		return []promSeries{
			line("requests_total", revision, pod, offset, all...),
			line("seconds_bucket", revision, pod, offset, fast...).with("le", "0.1"),
			line("seconds_bucket", revision, pod, offset, all...).with("le", "+Inf"),
		}
	}
	series := slices.Concat(
		buckets("r1", "old", 0, []float64{0, 10, 20, 30, 40, 50, 60, 70, 80}, []float64{0, 10, 20, 30, 40, 50, 60, 70, 80}),
		// Born at 75 s, cold until 105 s: the steps from 105 s on are its warm ones.
		buckets("r2", "new", 75*time.Second, []float64{1, 2, 3, 13}, []float64{9, 18, 27, 37}),
		[]promSeries{line("errors_total", "r1", "old", 0, 0, 0)},
	)
	samples := lookAt(t, openFake(t, &fakeStore{series}), 79, 94, 109, 124, 139)
	for i, want := range []struct {
		latency []int64
		warm    int
		cold    int64
		age     float64
	}{{}, {[]int64{0, 0}, 0, 9, 0}, {[]int64{0, 0}, 0, 9, 0}, {[]int64{0, 0}, 0, 9, 15}, {[]int64{10, 0}, 1, 0, 0}} {
		if i == 0 {
			continue
		}
		got := samples[i]
		if got.Missing != "" || !slices.Equal(got.Canary.Latency.Counts, want.latency) || got.Canary.WarmInstances != want.warm {
			t.Errorf("look %d: %+v, want latency %v of %d warm instances", i, got, want.latency, want.warm)
		}
		if got.Canary.Cold.Total() != want.cold || got.Canary.ColdAge != want.age {
			t.Errorf("look %d: %+v, want %d cold requests at an age of %v s", i, got.Canary, want.cold, want.age)
		}
		if !slices.Equal(got.Stable.Latency.Counts, []int64{10, 0}) || got.Stable.WarmInstances != 1 {
			t.Errorf("look %d: stable %+v, want 10 fast requests of one warm instance", i, got.Stable)
		}
	}
}

func TestPrometheusTellsWhichInstanceFailed(t *testing.T) {
	series := []promSeries{
		line("requests_total", "r1", "old", 0, 0, 10, 20, 30, 40),
		line("errors_total", "r1", "old", 0, 0, 1, 2, 3, 4),
		line("requests_total", "r2", "a", 0, 0, 10, 20, 30, 40), line("requests_total", "r2", "b", 0, 0, 10, 20, 30, 40),
		line("errors_total", "r2", "a", 0, 0, 0, 4, 4, 4), line("errors_total", "r2", "b", 0, 0, 0, 1, 1, 1),
	}
	samples := lookAt(t, openFake(t, &fakeStore{append(series, longAgo)}), 33, 48, 63)
	same(t, samples[1].Canary.ErrorsBy, []judge.InstanceErrors{{Instance: "a", Errors: 4}, {Instance: "b", Errors: 1}})
	same(t, samples[2].Canary.ErrorsBy, []judge.InstanceErrors{})
	if samples[1].Stable.ErrorsBy != nil {
		t.Errorf("of stable the sums are enough: %+v", samples[1].Stable)
	}
}

// Any way to look ends at the same sums: nothing is lost, doubled or invented.
func TestLookingIrregularlyNeverChangesTheSum(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		store := &fakeStore{rapid.Custom(drawWorld).Draw(r, "world")}
		often := sumOf(t, openFake(t, store), []int{33, 48, 63, 78, 93, 108, 123, 138, 153, 168, 183, 198, 213, 228, 260})
		looks := append([]int{33}, slices.Sorted(slices.Values(rapid.SliceOfDistinct(rapid.IntRange(34, 228), rapid.ID[int]).Draw(r, "looks")))...)
		seldom := sumOf(t, openFake(t, store), append(looks, 260))
		if diff := cmp.Diff(often, seldom); diff != "" {
			r.Fatalf("looking at %v gives another sum (-often +seldom):\n%s", looks, diff)
		}
		if often.Requests == 0 {
			r.Fatal("the world has no requests; the property says nothing")
		}
	})
}

type sums struct {
	Requests, Errors int64
	Latency          []int64
}

func sumOf(t testing.TB, p *Prometheus, looks []int) sums {
	total := sums{Latency: make([]int64, 3)}
	for _, s := range lookAt(t, p, looks...) {
		if s.Missing != "" {
			continue
		}
		total.Requests += s.Stable.Requests
		total.Errors += s.Stable.Errors
		for i, n := range s.Stable.Latency.Counts {
			total.Latency[i] += n
		}
	}
	return total
}

// drawWorld makes a stable arm of one to four instances that start, restart and
// miss scrapes, and a canary that is scraped steadily.
func drawWorld(r *rapid.T) []promSeries {
	const scrapes = 16
	world := []promSeries{longAgo, line("errors_total", "r2", "c", 0, 0)}
	steady := make([]float64, scrapes)
	for i := range steady {
		steady[i] = float64(1000 * i)
	}
	world = append(world, line("requests_total", "r2", "c", 0, steady...), line("requests_total", "r1", "steady", 3*time.Second, steady...))
	for _, pod := range []string{"p", "q", "s", "t"}[:rapid.IntRange(1, 4).Draw(r, "instances")] {
		offset := time.Duration(rapid.IntRange(0, 14_999).Draw(r, "offset")) * time.Millisecond
		from := rapid.IntRange(0, scrapes-2).Draw(r, "from")
		requests, errors, fast := make([]float64, scrapes), make([]float64, scrapes), make([]float64, scrapes)
		var slow, e, f, seen float64
		for i := range scrapes {
			// A restart that overtakes its last reading before the next scrape cannot be seen.
			restart := rapid.IntRange(0, 9).Draw(r, "restart") == 0 && seen > 12
			if restart {
				slow, e, f = 0, 0, 0
			}
			f += float64(rapid.IntRange(0, 5).Draw(r, "fast"))
			e += float64(rapid.IntRange(0, 2).Draw(r, "bad"))
			slow += 2 + float64(rapid.IntRange(0, 5).Draw(r, "slow"))
			requests[i], errors[i], fast[i] = slow+f, e, f
			if i < from || rapid.IntRange(0, 4).Draw(r, "miss") == 0 && !restart {
				requests[i], errors[i], fast[i] = failed, failed, failed
				continue
			}
			seen = requests[i]
		}
		world = append(world,
			line("requests_total", "r1", pod, offset, requests...),
			line("errors_total", "r1", pod, offset, errors...),
			line("seconds_bucket", "r1", pod, offset, fast...).with("le", "0.1"),
			line("seconds_bucket", "r1", pod, offset, requests...).with("le", "0.5"),
			line("seconds_bucket", "r1", pod, offset, requests...).with("le", "+Inf"))
	}
	return world
}

// A store that is written to from elsewhere may get a scrape late.
func TestAScrapeThatArrivesLateIsCountedAtTheNextLook(t *testing.T) {
	store := &fakeStore{[]promSeries{
		longAgo, line("requests_total", "r1", "a", 0, 100, 110, 120, 130), line("requests_total", "r2", "b", 0, 1, 2, 3, 4),
		line("requests_total", "r1", "late", 0, 100, 110, failed, failed),
	}}
	p := openFake(t, store)
	p.queries["errors"] = p.queries["requests"].and(matcher{"code", "=", "500"})
	var cursor []byte
	for _, look := range []struct {
		second int
		stable int64
	}{{33, 0}, {48, 10}, {63, 17}} {
		s, next, err := p.Sample(context.Background(), askAt(start.Add(time.Duration(look.second)*time.Second)), cursor)
		if err != nil {
			t.Fatal(err)
		}
		if s.Stable.Requests != look.stable {
			t.Errorf("at %d s stable did %d requests, want %d (%s)", look.second, s.Stable.Requests, look.stable, s.Missing)
		}
		cursor = next
		if look.second == 48 {
			store.series[3] = line("requests_total", "r1", "late", 0, 100, 110, 7) // a reset, so that its reading matters
		}
	}
}

func TestACursorThatCannotBeReadBeginsAnew(t *testing.T) {
	p := openFake(t, &fakeStore{[]promSeries{longAgo, line("requests_total", "r1", "a", 0, 1, 2), line("requests_total", "r2", "b", 0, 1, 2)}})
	for _, cursor := range []string{"{", "[]", `{"at":0}`, `{"at":5,"arms":{"r1":null,"r2":null}}`, `{"at":5,"bounds":[1],"arms":{"r1":{"latency":{"k":[1,2]}},"r2":{}}}`} {
		s, next, err := p.Sample(context.Background(), askAt(start.Add(33*time.Second)), []byte(cursor))
		if err != nil || s.Missing != lostPlace {
			t.Errorf("cursor %s: %q, %v; want %q", cursor, s.Missing, err, lostPlace)
		}
		if !json.Valid(next) {
			t.Errorf("cursor %s: the next one is not JSON", cursor)
		}
	}
}
