package metric

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/judge"
)

// past makes an instance of stable with 10 requests, of which one failed and 2
// were slow, per scrape of the last three hours. edit may change a scrape.
func past(pod string, edit func(scrape int, counts []float64)) []promSeries {
	const scrapes = 3 * 60 * 4
	columns := make([][]float64, 3)
	counts := []float64{5000, 70, 4000}
	for i := range scrapes {
		counts[0], counts[1], counts[2] = counts[0]+10, counts[1]+1, counts[2]+8
		shown := slices.Clone(counts)
		if edit != nil {
			edit(i, counts)
			shown = slices.Clone(counts)
			if counts[0] < 0 {
				counts[0] += 1e9
				shown = []float64{failed, failed, failed}
			}
		}
		for c := range columns {
			columns[c] = append(columns[c], shown[c])
		}
	}
	begin := -3 * time.Hour
	return []promSeries{
		line("requests_total", "r1", pod, begin, columns[0]...),
		line("errors_total", "r1", pod, begin, columns[1]...),
		line("seconds_bucket", "r1", pod, begin, columns[2]...).with("le", "0.5"),
		line("seconds_bucket", "r1", pod, begin, columns[0]...).with("le", "+Inf"),
	}
}

func historyOf(t *testing.T, series []promSeries) judge.History {
	t.Helper()
	ask := askAt(start)
	ask.Canary = ""
	h, err := openFake(t, &fakeStore{series}).History(context.Background(), ask, 2*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Validate(); err != nil {
		t.Fatal(err)
	}
	return h
}

// The pods of a gateway are no instances of the service: what all of them counted is one past.
func TestThePastOfAGatewayIsThatOfOneInstance(t *testing.T) {
	p := openFake(t, &fakeStore{slices.Concat(past("a", nil), past("b", nil))})
	p.config.Instance = noInstance
	h, err := p.History(t.Context(), askAt(start), 2*time.Hour)
	if err != nil || h.Validate() != nil || h.Minutes() != 120 || len(h.Instances) != 1 {
		t.Fatalf("%v, %v: %d minutes of %d instances", err, h.Validate(), h.Minutes(), len(h.Instances))
	}
	two := historyOf(t, slices.Concat(past("a", nil), past("b", nil)))
	for m, n := range h.Instances[0].Requests {
		if both := two.Instances[0].Requests[m] + two.Instances[1].Requests[m]; n != both {
			t.Errorf("minute %d has %d requests, want %d", m, n, both)
		}
	}
}

func TestHistoryIsTheStablePastInMinutes(t *testing.T) {
	h := historyOf(t, past("a", nil))
	if h.Minutes() != 120 || len(h.Instances) != 1 || !slices.Equal(h.Bounds, []float64{0.5}) {
		t.Fatalf("%d minutes of %d instances with bounds %v", h.Minutes(), len(h.Instances), h.Bounds)
	}
	a := h.Instances[0]
	for m := 1; m < 120; m++ {
		if a.Requests[m] != 40 || a.Errors[m] != 4 {
			t.Fatalf("minute %d: %d errors in %d requests", m, a.Errors[m], a.Requests[m])
		}
		if m >= 2 && !slices.Equal(a.Latency[m], []int64{32, 8}) {
			t.Fatalf("minute %d: latency %v", m, a.Latency[m])
		}
	}
}

func TestHistoryOfARestartAndAGap(t *testing.T) {
	h := historyOf(t, past("a", func(i int, counts []float64) {
		switch {
		case i == 400: // a restart
			counts[0], counts[1], counts[2] = 3, 1, 2
		case i >= 500 && i < 520: // five minutes without a scrape
			counts[0] -= 1e9
		}
	}))
	a := h.Instances[0]
	var requests, empty, largest int64
	for m := range a.Requests {
		requests += a.Requests[m]
		largest = max(largest, a.Requests[m])
		if m > 0 && a.Requests[m] == 0 {
			empty++
		}
		if a.Requests[m] < 0 || a.Latency[m][0] < 0 || a.Latency[m][1] < 0 {
			t.Fatalf("minute %d counts below zero", m)
		}
	}
	if largest != 40 || empty < 5 || empty > 7 {
		t.Errorf("a minute has up to %d requests and %d minutes have none; the gap must not be heaped on one minute", largest, empty)
	}
	if requests < 110*40 {
		t.Errorf("%d requests are left", requests)
	}
}

func TestHistoryHasAtMostTheInstancesThatAreUsed(t *testing.T) {
	var series []promSeries
	for i := range judge.MaxInstances + 3 {
		series = append(series, past(fmt.Sprintf("pod-%02d", i), nil)...)
	}
	h := historyOf(t, series)
	if len(h.Instances) != judge.MaxInstances {
		t.Fatalf("%d instances", len(h.Instances))
	}
	for i, in := range h.Instances {
		if in.Requests[60] != 40 {
			t.Errorf("instance %d has %d requests in minute 60", i, in.Requests[60])
		}
	}
}

func TestHistoryOfAnInstanceThatIsYoung(t *testing.T) {
	young := past("b", nil)
	for i := range young {
		young[i].Values = young[i].Values[len(young[i].Values)-12:] // three minutes
	}
	h := historyOf(t, append(past("a", nil), young...))
	b := h.Instances[1]
	if b.Requests[60] != 0 || b.Requests[119] != 40 {
		t.Errorf("requests %v", b.Requests)
	}
	if largest := slices.Max(b.Requests); largest > 40 {
		t.Errorf("a minute has %d requests; what it counted before it was first seen is not its past", largest)
	}
}

func TestHistoryMergesToTheBoundsInCommon(t *testing.T) {
	series := past("a", nil)
	finer := slices.Clone(series[2].Values[:600])
	old := promSeries{Metric: series[2].Metric, Values: finer}.with("le", "0.25") // until a new version dropped it
	h := historyOf(t, append(series, old))
	if !slices.Equal(h.Bounds, []float64{0.5}) || !slices.Equal(h.Instances[0].Latency[30], []int64{32, 8}) || !slices.Equal(h.Instances[0].Latency[110], []int64{32, 8}) {
		t.Errorf("bounds %v, latency %v and %v", h.Bounds, h.Instances[0].Latency[30], h.Instances[0].Latency[110])
	}
}

func TestHistoryWithoutAnything(t *testing.T) {
	if h := historyOf(t, nil); len(h.Instances) != 0 {
		t.Errorf("nothing has a past of %d instances", len(h.Instances))
	}
	p := openFake(t, roundTrip(nil))
	ask := askAt(start)
	ask.Stable = ""
	if h, err := p.History(context.Background(), ask, time.Hour); err != nil || h.Minutes() != 0 {
		t.Errorf("the first release: %v, %v", h, err)
	}
	ask.Service = ""
	if _, err := p.History(context.Background(), ask, time.Hour); fault.CodeOf(err) != fault.Invalid {
		t.Errorf("no service: %v", err)
	}
}
