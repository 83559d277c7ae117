package metric

import (
	"context"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/judge"
)

var (
	failures = CustomMetric{Name: "failures", Bad: `failed_total{revision="$revision"}`, Of: `tried_total{revision="$revision"}`}
	hits     = CustomMetric{Name: "hits", Good: `found_total{revision="$revision"}`, Of: `tried_total{revision="$revision"}`}
	labelled = CustomMetric{Name: "labelled", Good: `tried_total{revision="$revision",result="ok"}`, Of: `tried_total{revision="$revision"}`}
	value    = CustomMetric{
		Name: "value", Sum: `value_sum{revision="$revision"}`, Count: `value_count{revision="$revision"}`, Squares: `value_squares{revision="$revision"}`,
	}
)

// healthy are requests of both arms, for looks that carry evidence.
var healthy = []promSeries{
	line("requests_total", "r1", "a", 0, 100, 110, 120, 130), line("requests_total", "r2", "b", 0, 100, 110, 120, 130),
	line("errors_total", "r1", "a", 0, 0, 0, 0, 0),
}

// lookFor takes samples of one custom metric at the given seconds after start.
func lookFor(t testing.TB, store *fakeStore, m CustomMetric, seconds ...int) []judge.Sample {
	t.Helper()
	p := openFake(t, store)
	var samples []judge.Sample
	var cursor []byte
	for _, s := range seconds {
		ask := askAt(start.Add(time.Duration(s) * time.Second))
		ask.Custom = []CustomMetric{m}
		sample, next, err := p.Sample(context.Background(), ask, cursor)
		if err != nil {
			t.Fatalf("look at %d s: %v", s, err)
		}
		samples, cursor = append(samples, sample), next
	}
	return samples
}

func TestPrometheusCountsCustomMetrics(t *testing.T) {
	three := []int{18, 33, 48} // the cut is 17 s before the look
	for _, tc := range []struct {
		name           string
		metric         CustomMetric
		series         []promSeries
		stable, canary judge.Counts // over all looks
		missing        string       // of the last look
	}{
		{
			name: "a ratio of bad events", metric: failures,
			series: []promSeries{
				line("tried_total", "r1", "a", 0, 500, 520, 550), line("tried_total", "r2", "b", 0, 10, 20, 40),
				line("failed_total", "r1", "a", 0, 5, 6, 7), line("failed_total", "r2", "b", 0, 1, 1, 5),
			},
			stable: judge.Counts{All: 50, Bad: 2}, canary: judge.Counts{All: 30, Bad: 4},
		},
		{
			name: "a ratio of good events", metric: hits,
			series: []promSeries{
				line("tried_total", "r1", "a", 0, 500, 520, 550), line("tried_total", "r2", "b", 0, 10, 20, 40),
				line("found_total", "r1", "a", 0, 400, 420, 440), line("found_total", "r2", "b", 0, 1, 6, 16),
			},
			stable: judge.Counts{All: 50, Bad: 10}, canary: judge.Counts{All: 30, Bad: 15},
		},
		{
			name: "a mean", metric: value,
			series: []promSeries{
				line("value_count", "r1", "a", 0, 500, 501, 503), line("value_count", "r2", "b", 0, 0, 1, 2),
				line("value_sum", "r1", "a", 0, 5000, 5010.5, 5020), line("value_sum", "r2", "b", 0, 0, 9.5, 20),
				line("value_squares", "r1", "a", 0, 1000, 1110, 1300), line("value_squares", "r2", "b", 0, 0, 90.25, 200.5),
			},
			stable: judge.Counts{All: 3, Sum: 20, Squares: 300}, canary: judge.Counts{All: 2, Sum: 20, Squares: 200.5},
		},
		{
			name: "a reset counts from zero, and a series born later too", metric: failures,
			series: []promSeries{
				line("tried_total", "r1", "a", 0, 500, 520, 7), line("tried_total", "r2", "b", 0, 10, 20, 40), line("tried_total", "r2", "c", 15*time.Second, 3, 5),
				line("failed_total", "r1", "a", 0, 5, 6, 2), line("failed_total", "r2", "b", 30*time.Second, 3),
			},
			stable: judge.Counts{All: 27, Bad: 3}, canary: judge.Counts{All: 35, Bad: 3},
		},
		{
			name: "no bad event yet is none, where the name is known", metric: failures,
			series: []promSeries{
				line("tried_total", "r1", "a", 0, 500, 520, 550), line("tried_total", "r2", "b", 0, 10, 20, 40),
				line("failed_total", "other", "z", 0, 1, 1, 1),
			},
			stable: judge.Counts{All: 50}, canary: judge.Counts{All: 30},
		},
		{
			name: "a name that nothing has", metric: failures,
			series: []promSeries{
				line("tried_total", "r1", "a", 0, 500, 520, 550), line("tried_total", "r2", "b", 0, 10, 20, 40),
			},
			missing: "nothing is named failed_total, as the query bad says",
		},
		{
			name: "no good event is not taken for none", metric: hits,
			series: []promSeries{
				line("tried_total", "r1", "a", 0, 500, 520, 550), line("tried_total", "r2", "b", 0, 10, 20, 40),
				line("found_total", "r1", "a", 0, 400, 420, 440),
			},
			missing: "the query good finds nothing of the canary arm (revision r2)",
		},
		{
			name: "but it is where the same counter has the others", metric: labelled,
			series: []promSeries{
				line("tried_total", "r1", "a", 0, 400, 420, 440).with("result", "ok"),
				line("tried_total", "r1", "a", 0, 4, 5, 7).with("result", "no"), line("tried_total", "r2", "b", 0, 10, 20, 40).with("result", "no"),
			},
			stable: judge.Counts{All: 43, Bad: 3}, canary: judge.Counts{All: 30, Bad: 30},
		},
		{
			name: "one arm missing", metric: failures,
			series:  []promSeries{line("tried_total", "r1", "a", 0, 500, 520, 550), line("failed_total", "r1", "a", 0, 5, 6, 7)},
			missing: "the query of finds nothing of the canary arm (revision r2)",
		},
		{
			name: "one arm without a new scrape", metric: failures,
			series: []promSeries{
				line("tried_total", "r1", "a", 0, 500, 520, 550), line("tried_total", "r2", "b", 0, 10),
				line("failed_total", "r1", "a", 0, 5, 6, 7),
			},
			missing: "nothing of the canary arm has been scraped since",
		},
		{
			name: "a mean without its squares", metric: value,
			series: []promSeries{
				line("value_count", "r1", "a", 0, 500, 501, 503), line("value_count", "r2", "b", 0, 0, 1, 2),
				line("value_sum", "r1", "a", 0, 5000, 5010.5, 5020), line("value_sum", "r2", "b", 0, 0, 9.5, 20),
			},
			missing: "the query squares finds nothing of the stable arm",
		},
		{
			name: "more bad events than events", metric: failures,
			series: []promSeries{
				line("tried_total", "r1", "a", 0, 500, 520, 550), line("tried_total", "r2", "b", 0, 10, 11, 12), line("failed_total", "r2", "b", 0, 0, 5, 9),
			},
			missing: "the canary arm counts 9 bad events of 2",
		},
		{
			name: "not a number", metric: failures,
			series: []promSeries{
				line("tried_total", "r1", "a", 0, 500, 520, 550), line("tried_total", "r2", "b", 0, 10, 11, math.NaN()), line("failed_total", "r2", "b", 0, 0, 0, 0),
			},
			stable: judge.Counts{All: 20}, canary: judge.Counts{All: 1}, missing: "which is not a number",
		},
		{
			name: "a query that is none", metric: CustomMetric{Name: "rates", Bad: `rate(failed_total{revision="$revision"}[1m])`, Of: `tried_total{revision="$revision"}`},
			missing: "the query bad:",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			store := &fakeStore{series: append(append([]promSeries{longAgo, longAgoTried, longAgoValue}, healthy...), tc.series...)}
			var stable, canary judge.Counts
			var last judge.CustomSample
			for i, s := range lookFor(t, store, tc.metric, three...) {
				if i == 0 {
					continue
				}
				if s.Missing != "" || s.Stable.Requests != 10 || s.Canary.Requests != 10 {
					t.Fatalf("the requests are not what they would be without it: %+v", s)
				}
				last = s.Custom[0]
				if last.Missing == "" {
					stable, canary = plus(stable, last.Stable), plus(canary, last.Canary)
				}
			}
			if !strings.Contains(last.Missing, tc.missing) || (tc.missing == "") != (last.Missing == "") {
				t.Errorf("missing: %q, want %q", last.Missing, tc.missing)
			}
			same(t, stable, tc.stable)
			same(t, canary, tc.canary)
		})
	}
}

// Instances that were scraped and then went: the store did not only just begin.
var (
	longAgoTried = line("tried_total", "r1", "gone", -time.Minute, 1)
	longAgoValue = line("value_count", "r1", "gone", -time.Minute, 1)
)

func plus(a, b judge.Counts) judge.Counts {
	return judge.Counts{All: a.All + b.All, Bad: a.Bad + b.Bad, Sum: a.Sum + b.Sum, Squares: a.Squares + b.Squares}
}

func TestWhatACustomMetricMissedComesWithItsNextGoodLook(t *testing.T) {
	store := &fakeStore{series: append([]promSeries{
		longAgo, longAgoTried,
		line("tried_total", "r1", "a", 0, 500, 520, 550, 600), line("tried_total", "r2", "b", 0, 10, failed, failed, 40),
		line("failed_total", "r1", "a", 0, 5, 6, 7, 9), line("failed_total", "r2", "b", 0, 1, failed, failed, 5),
	}, healthy...)}
	samples := lookFor(t, store, failures, 18, 33, 48, 63)
	for _, s := range samples[1:3] {
		if !strings.Contains(s.Custom[0].Missing, "nothing of the canary arm has been scraped since") || s.Missing != "" {
			t.Errorf("in the gap: %+v", s)
		}
	}
	same(t, samples[3].Custom, []judge.CustomSample{{
		Name: "failures", Stable: judge.Counts{All: 100, Bad: 4}, Canary: judge.Counts{All: 30, Bad: 4},
	}})
}

// The sum and the squares of the canary's second scrape are of different instants.
func TestCountsThatTheJudgeWouldRefuseComeWithTheNextGoodLook(t *testing.T) {
	store := &fakeStore{series: append([]promSeries{
		longAgo, longAgoValue,
		line("value_count", "r1", "a", 0, 500, 510, 520), line("value_sum", "r1", "a", 0, 5000, 5100, 5200), line("value_squares", "r1", "a", 0, 60000, 61200, 62400),
		line("value_count", "r2", "b", 0, 0, 4, 8), line("value_sum", "r2", "b", 0, 0, 40, 80), line("value_squares", "r2", "b", 0, 0, 120, 960),
	}, healthy...)}
	samples := lookFor(t, store, value, 18, 33, 48)
	if why := samples[1].Custom[0].Missing; !strings.Contains(why, "of the canary arm do not go together: the squares are too small") {
		t.Errorf("missing: %q", why)
	}
	same(t, samples[2].Custom, []judge.CustomSample{{
		Name: "value", Stable: judge.Counts{All: 20, Sum: 200, Squares: 2400}, Canary: judge.Counts{All: 8, Sum: 80, Squares: 960},
	}})
}

func TestWhatStableCountedBeforeTheStoreBeganIsNotNew(t *testing.T) {
	store := &fakeStore{series: append([]promSeries{
		longAgo,
		line("tried_total", "r1", "a", 30*time.Second, 520, 550), line("tried_total", "r1", "slow", 44*time.Second, 9000, 9010),
		line("tried_total", "r2", "b", 30*time.Second, 10, 40), line("failed_total", "r1", "a", 30*time.Second, 1, 1),
	}, healthy...)}
	for i, s := range lookFor(t, store, failures, 18, 33, 48, 63)[1:] {
		if s.Custom[0].Missing == "" {
			t.Errorf("look %d has evidence: %+v", i, s.Custom[0])
		}
	}
}

func TestACursorWithHalfACustomMarkBeginsAnew(t *testing.T) {
	store := &fakeStore{series: append([]promSeries{
		longAgo, longAgoTried, line("tried_total", "r1", "a", 0, 500, 520, 550), line("tried_total", "r2", "b", 0, 10, 11, 12), line("failed_total", "r2", "b", 0, 0, 1, 1),
	}, healthy...)}
	p := openFake(t, store)
	ask := askAt(start.Add(18 * time.Second))
	ask.Custom = []CustomMetric{failures}
	_, cursor, err := p.Sample(context.Background(), ask, nil)
	if err != nil {
		t.Fatal(err)
	}
	var raw map[string]any
	if err := json.Unmarshal(cursor, &raw); err != nil {
		t.Fatal(err)
	}
	raw["custom"] = map[string]any{"failures": map[string]any{"at": 5, "arms": map[string]any{"r1": nil}}}
	ask.Now = start.Add(33 * time.Second)
	s, _, err := p.Sample(context.Background(), ask, encode(raw))
	if err != nil || s.Missing != "" || s.Custom[0].Missing != firstLook {
		t.Errorf("%+v, %v", s, err)
	}
}

// steadily is a counter that grows by so much at each of n scrapes.
func steadily(step float64, n int) []float64 {
	var v []float64
	for i := range n {
		v = append(v, step*float64(i))
	}
	return v
}

func TestThePastOfACustomRatioIsRead(t *testing.T) {
	var all []promSeries
	for _, pod := range []string{"a", "b"} {
		all = append(all, line("requests_total", "r1", pod, 0, steadily(10, 60)...), line("errors_total", "r1", pod, 0, steadily(0, 60)...),
			line("tried_total", "r1", pod, 0, steadily(5, 60)...), line("found_total", "r1", pod, 0, steadily(4, 60)...))
	}
	p := openFake(t, &fakeStore{series: all})
	ask := askAt(start.Add(15 * time.Minute))
	ask.Custom = []CustomMetric{hits, value, {Name: "wrong", Bad: "rate(", Of: hits.Of}}
	past, err := p.History(context.Background(), ask, 10*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if len(past.Custom) != 1 || past.Custom[0].Name != "hits" || len(past.Custom[0].Instances) != 2 {
		t.Fatalf("the past is %+v", past.Custom)
	}
	if in := past.Custom[0].Instances[0]; in.Requests[5] != 20 || in.Errors[5] != 4 {
		t.Errorf("a minute is %d bad of %d", in.Errors[5], in.Requests[5])
	}
}

// pastOf reads ten minutes of the past of a ratio.
func pastOf(t *testing.T, m CustomMetric, series ...promSeries) []judge.InstanceHistory {
	t.Helper()
	series = append(series, line("requests_total", "r1", "a", 0, steadily(10, 60)...), line("errors_total", "r1", "a", 0, steadily(0, 60)...))
	ask := askAt(start.Add(15 * time.Minute))
	ask.Custom = []CustomMetric{m}
	past, err := openFake(t, &fakeStore{series: series}).History(context.Background(), ask, 10*time.Minute)
	if err != nil || len(past.Custom) != 1 {
		t.Fatalf("the past is %+v, %v", past.Custom, err)
	}
	return past.Custom[0].Instances
}

func TestAMinuteOfThePastThatWasScrapedSkewedIsMadeGoodByTheNext(t *testing.T) {
	good := steadily(5, 60)
	good[42] += 3 // as the last scrape of a minute, which the events had not reached
	past := pastOf(t, hits, line("tried_total", "r1", "a", 0, steadily(5, 60)...), line("found_total", "r1", "a", 0, good...))
	same(t, past[0].Requests, []int64{0, 20, 20, 20, 20, 20, 20, 20, 20, 20})
	same(t, past[0].Errors, make([]int64, 10))
}

func TestAnInstanceThatCountsNoGoodEventsIsLeftOutOfThePast(t *testing.T) {
	a, b := line("tried_total", "r1", "a", 0, steadily(5, 60)...), line("tried_total", "r1", "b", 0, steadily(5, 60)...)
	if past := pastOf(t, hits, a, b); len(past) != 0 {
		t.Errorf("where none counts them, the past is %+v", past)
	}
	past := pastOf(t, hits, a, b, line("found_total", "r1", "b", 0, steadily(4, 60)...))
	if len(past) != 1 || past[0].Errors[5] != 4 {
		t.Errorf("where one counts them, the past is %+v", past)
	}
	if past := pastOf(t, hits, a, line("found_total", "r1", "a", 0, steadily(0, 60)...)); past[0].Errors[5] != 20 {
		t.Errorf("where there is none, the past is %+v", past)
	}
	if past := pastOf(t, labelled, a.with("result", "no")); past[0].Errors[5] != 20 {
		t.Errorf("where the same counter has the others, the past is %+v", past)
	}
}

func TestTheProbeAsksForCustomMetrics(t *testing.T) {
	store := &fakeStore{series: append([]promSeries{longAgo, line("seconds", "r1", "a", 0, 1), longAgoTried}, healthy...)}
	ask := askAt(start)
	ask.Custom = []CustomMetric{failures}
	if err := openFake(t, store).Probe(context.Background(), ask); err == nil || !strings.Contains(err.Error(), "nothing named failed_total, as the failures.bad query says") {
		t.Errorf("the probe says %v", err)
	}
}

func TestTheRouterCountsNoCustomMetrics(t *testing.T) {
	f := newFakeRouter()
	r, err := NewRouter(f)
	if err != nil {
		t.Fatal(err)
	}
	ask := askAt(start)
	ask.Custom = []CustomMetric{failures}
	_, cursor, err := r.Sample(context.Background(), ask, nil)
	if err != nil {
		t.Fatal(err)
	}
	f.count("r1", "a", 9, 0, nil)
	f.count("r2", "b", 3, 0, nil)
	ask.Now = start.Add(time.Second)
	s, _, err := r.Sample(context.Background(), ask, cursor)
	if err != nil || s.Missing != "" || s.Canary.Requests != 3 || len(s.Custom) != 1 || !strings.Contains(s.Custom[0].Missing, "the router counts requests") {
		t.Errorf("%+v, %v", s, err)
	}
}
