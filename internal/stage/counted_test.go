package stage_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"sync"
	"time"

	"github.com/fairwayhq/fairway/internal/metric"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/platform"
)

// counted is the traffic of a world as a Prometheus has scraped it. It answers the real
// source in the place of the network, so that no answer outlives its question, and what
// it answers can be spoilt.
type counted struct {
	mu      sync.Mutex // the source asks for both arms at once
	w       *world
	scrapes []time.Time
	// series are the counters by name and revision, one value per scrape.
	series map[string][]float64
	rate   float64
	// spoil changes a value as it is answered; false leaves the sample out.
	spoil func(name, revision string, scrape int, v float64) (float64, bool)
	// answer, where set, answers in the place of the counters; false lets them answer.
	answer func(rw http.ResponseWriter, r *http.Request) bool
	// broken, where set, is what becomes of every question.
	broken error
}

const scrapeInterval = 15 * time.Second

// count begins to scrape the world, from a while ago.
func (w *world) count() *counted {
	c := &counted{w: w, series: map[string][]float64{}, rate: rate}
	c.scrapes = append(c.scrapes, w.now.Add(-20*scrapeInterval))
	for _, key := range []string{"requests_total/" + old, "errors_total/" + old} {
		c.series[key] = []float64{0}
	}
	c.catchUp()
	return c
}

// catchUp scrapes what has happened by now.
func (c *counted) catchUp() {
	for {
		at := c.scrapes[len(c.scrapes)-1].Add(scrapeInterval)
		if at.After(c.w.now) {
			return
		}
		c.scrapes = append(c.scrapes, at)
		n := c.w.poisson(c.rate * scrapeInterval.Seconds())
		share := float64(c.w.weights[fresh]) / platform.Whole
		canary := c.w.binomial(n, share)
		c.add(old, n-canary, c.w.binomial(n-canary, 0.002))
		if _, placed := c.w.placed[fresh]; placed {
			c.add(fresh, canary, c.w.binomial(canary, c.w.errors))
		}
	}
}

func (c *counted) add(revision string, requests, errors int64) {
	for name, n := range map[string]int64{"requests_total/": requests, "errors_total/": errors} {
		s := c.series[name+revision]
		for len(s) < len(c.scrapes)-1 {
			s = append(s, 0) // it was not there yet
		}
		before := 0.0
		if len(s) > 0 {
			before = s[len(s)-1]
		}
		c.series[name+revision] = append(s, before+float64(n))
	}
}

var asked = regexp.MustCompile(`^(\w+)\{revision="([^"]+)"\}\[(\d+)ms\]$`)

// RoundTrip answers a question of the source.
func (c *counted) RoundTrip(r *http.Request) (*http.Response, error) {
	if c.broken != nil {
		return nil, c.broken
	}
	rw := httptest.NewRecorder()
	c.serveHTTP(rw, r)
	res := rw.Result()
	res.Request = r
	return res, nil
}

func (c *counted) serveHTTP(rw http.ResponseWriter, r *http.Request) {
	if c.answer != nil && c.answer(rw, r) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.catchUp()
	found := asked.FindStringSubmatch(r.PostFormValue("query"))
	if found == nil {
		fmt.Fprint(rw, `{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"1"]}]}}`)
		return
	}
	at, err := strconv.ParseFloat(r.PostFormValue("time"), 64)
	c.w.must(err)
	span, err := strconv.Atoi(found[3])
	c.w.must(err)
	to := time.UnixMilli(int64(at*1000 + 0.5))
	c.write(rw, found[1], found[2], to.Add(-time.Duration(span)*time.Millisecond), to)
}

func (c *counted) write(rw http.ResponseWriter, name, revision string, from, to time.Time) {
	values := [][2]any{}
	for i, v := range c.series[name+"/"+revision] {
		at := c.scrapes[i]
		if !at.After(from) || at.After(to) {
			continue
		}
		keep := true
		if c.spoil != nil {
			v, keep = c.spoil(name, revision, i, v)
		}
		if keep {
			values = append(values, [2]any{float64(at.UnixMilli()) / 1000, strconv.FormatFloat(v, 'g', -1, 64)})
		}
	}
	result := []any{}
	if len(values) > 0 {
		labels := map[string]string{"__name__": name, "revision": revision, "pod": revision + "-1"}
		result = append(result, map[string]any{"metric": labels, "values": values})
	}
	c.w.must(json.NewEncoder(rw).Encode(map[string]any{
		"status": "success", "data": map[string]any{"resultType": "matrix", "result": result},
	}))
}

// serve returns the plan's metrics, and the source of them.
func (c *counted) serve(interval time.Duration) (pipeline.Metrics, metric.Source) {
	m := pipeline.Metrics{Source: "prometheus", Prometheus: &pipeline.Prometheus{
		URL: "http://prometheus.test", Requests: `requests_total{revision="$revision"}`, Errors: `errors_total{revision="$revision"}`,
		Interval: pipeline.Duration(interval),
	}}
	config, err := json.Marshal(m.Prometheus)
	c.w.must(err)
	source, err := metric.Open("prometheus", config, metric.Deps{HTTP: c})
	c.w.must(err)
	return m, source
}
