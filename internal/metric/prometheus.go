package metric

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/judge"
)

func openPrometheus(raw json.RawMessage, deps Deps) (Source, error) {
	var c PrometheusConfig
	if err := decodeConfig("prometheus", raw, &c); err != nil {
		return nil, err
	}
	return NewPrometheus(c, deps.HTTP)
}

// PrometheusConfig says where the counters are and how to tell the arms apart.
//
// Queries are selectors such as
//
//	http_requests_total{service="$service",revision="$revision"}
//
// without rate(), sum() or a range: Fairway reads the raw samples and makes the
// increments itself, series by series, because extrapolated rates contain
// requests that never happened. In the values of labels $arm ("stable" or
// "canary"), $revision, $backend and $namespace (what the platform sends the arm's
// traffic to), $service, $environment and $region are replaced; each query must tell
// the arms apart by $arm, $revision or $backend. Instead of a selector it may be an
// expression with $window in it, which gives how many events there were in that time.
//
// Prefer counters of the caller or the gateway: an instance that cannot accept
// connections counts none itself.
type PrometheusConfig struct {
	// URL is the base of the API, for instance "http://prometheus:9090". Queries
	// are not followed to another host.
	URL string `json:"url"`
	// Requests selects counters of requests, or of units of work done.
	Requests string `json:"requests"`
	// Errors selects counters of those that failed. They must be contained in Requests.
	Errors string `json:"errors"`
	// Histogram selects a histogram of latencies, classic or native; its base name
	// is enough. Without one there is no evidence about latency.
	Histogram string `json:"histogram,omitempty"`
	// Unit is what the histogram is in, "seconds" or "milliseconds"; seconds if it is left out.
	Unit unit `json:"unit,omitempty"`
	// Preset is the name of what the queries were taken from, for people; nothing depends on it.
	Preset string `json:"preset,omitempty"`
	// Interval is the scrape interval; 15s if it is left out. Where a query is an expression
	// it is the length of the window, which holds several scrapes.
	Interval textDuration `json:"interval,omitempty"`
	// Instance is the label that tells the instances of an arm apart; pod, or
	// instance where there is no pod, if it is left out. "none" says that nothing
	// does: the pod that a gateway's counters have is the gateway's own.
	Instance string `json:"instance,omitempty"`
}

// textDuration is a duration that is written as text, for instance "15s".
type textDuration time.Duration

// UnmarshalJSON reads the text.
func (d *textDuration) UnmarshalJSON(b []byte) error {
	var text string
	if err := json.Unmarshal(b, &text); err != nil {
		return errors.New(`a duration is text such as "15s"`)
	}
	parsed, err := time.ParseDuration(text)
	*d = textDuration(parsed)
	return err
}

// MarshalJSON writes the text.
func (d textDuration) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(d).String()) }

// noInstance is the label that says that nothing tells instances apart. No series has it, so
// that all are of one instance without a name.
const noInstance = "none"

// queryNames are the queries that every look asks, in the order in which faults are reported.
var queryNames = []string{"requests", "errors", "histogram"}

// Validate returns all faults of the configuration.
func (c PrometheusConfig) Validate() error {
	var faults []error
	note := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if u, err := url.Parse(c.URL); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		note("url: it must be like http://prometheus:9090")
	}
	if i := time.Duration(c.Interval); i != 0 && (i < 100*time.Millisecond || i > 10*time.Minute) {
		note("interval: %s is not between 100ms and 10m", i)
	}
	if !c.Unit.known() {
		note("unit: it is seconds or milliseconds, not %q", string(c.Unit))
	}
	for _, q := range []struct{ name, text string }{{"requests", c.Requests}, {"errors", c.Errors}, {"histogram", c.Histogram}} {
		if q.text == "" && q.name == "histogram" {
			continue
		}
		s, wrong := readQuery(q.text)
		if q.name == "histogram" && s.windowed() {
			wrong = append(wrong, fmt.Errorf("it has %s; a histogram is read by a selector", window))
		}
		for _, err := range wrong {
			note("%s: %w", q.name, err)
		}
	}
	if len(faults) == 0 {
		return nil
	}
	return fault.Errorf(fault.Invalid, "the metric source prometheus: %w", errors.Join(faults...))
}

// readQuery reads a selector of one arm's counters, or says all that is wrong with it.
func readQuery(text string) (selector, []error) {
	s, err := parseQuery(text)
	if err != nil {
		return s, []error{fmt.Errorf("%w; write a selector such as http_requests_total{revision=\"$revision\"}, without functions", err)}
	}
	var faults []error
	used := s.placeholders()
	for _, word := range used {
		if !slices.Contains(words, word) {
			faults = append(faults, fmt.Errorf("there is no %s, only %v", word, words))
		}
	}
	if !slices.ContainsFunc(used, func(word string) bool { return slices.Contains(telling, word) }) {
		faults = append(faults, errors.New("it selects the same for both arms; use $revision, $backend or $arm in the value of a label"))
	}
	return s, faults
}

// Prometheus takes samples from a Prometheus, or what speaks its query API. Both
// arms are cut at one instant that lies one scrape interval and a little more in
// the past, so that every scrape up to it has arrived.
type Prometheus struct {
	config PrometheusConfig
	api    promAPI
	// queries by name; histogram is absent where there is none.
	queries map[string]selector
}

// NewPrometheus makes the source; it does not connect yet. A nil transport is the default one.
func NewPrometheus(c PrometheusConfig, transport http.RoundTripper) (*Prometheus, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if c.Interval == 0 {
		c.Interval = textDuration(15 * time.Second)
	}
	base, err := url.Parse(c.URL)
	if err != nil {
		return nil, fault.Errorf(fault.Invalid, "the URL of Prometheus: %w", err)
	}
	p := &Prometheus{config: c, api: newPromAPI(base, transport), queries: map[string]selector{}}
	for name, text := range map[string]string{"requests": c.Requests, "errors": c.Errors, "histogram": c.Histogram} {
		if text == "" {
			continue
		}
		if p.queries[name], err = parseQuery(text); err != nil {
			return nil, fault.Errorf(fault.Invalid, "the query %s: %w", name, err)
		}
	}
	p.api.window = p.Interval()
	if h, ok := p.queries["histogram"]; ok {
		p.queries["histogram"] = h.orBuckets()
	}
	return p, nil
}

// Interval is how often the source has something new.
func (p *Prometheus) Interval() time.Duration { return time.Duration(p.config.Interval) }

// lag is how long a scrape may take to be found by a query.
func (p *Prometheus) lag() time.Duration { return min(2*time.Second, p.Interval()/2) }

// Sample implements Source.
func (p *Prometheus) Sample(ctx context.Context, ask Ask, cursor []byte) (judge.Sample, []byte, error) {
	if err := ask.validate(); err != nil {
		return judge.Sample{}, nil, err
	}
	at := p.cut(ask.Now.Add(-p.Interval()-p.lag()), p.queries)
	if why := ask.without(); why != "" {
		return ask.missing(at, why), cursor, nil
	}
	if why := p.nameless(ask, ask.arms()...); why != "" {
		return ask.missing(at, why), cursor, nil
	}
	before, first := readPromCursor(cursor, ask)
	before.weigh(ask, p.Interval())
	if first == "" && at.UnixMilli() <= before.At {
		return ask.missing(at, "no time has passed since the last look, or the clock went back"), encode(before), nil
	}
	seen, err := p.fetch(ctx, ask, at, p.reach(before, ask, at, first != ""))
	if err != nil {
		return p.unanswered(ask.missing(at, ""), cursor, before, err)
	}
	if why := seen[0].young(at.Add(-2 * p.Interval())); first != "" && why != "" {
		return ask.missing(at, why), nil, nil
	}
	after, arms := before.advance(seen, at, p.Interval(), ask.WarmUp)
	if first != "" {
		_, after.Custom = p.custom(ctx, ask, nil, at)
		return ask.missing(at, first), encode(after), nil
	}
	s := judge.Sample{At: at, Weight: before.weightAt(at), Stable: arms[0], Canary: arms[1]}
	if p.config.Instance == noInstance {
		s.Canary.ErrorsBy = nil
		serving(&s.Stable, ask.StableInstances)
		serving(&s.Canary, ask.CanaryInstances)
	}
	why, err := p.doubt(ctx, before, after, s, seen)
	if err != nil {
		return p.unanswered(s, cursor, before, err)
	}
	if why != "" {
		return judge.Sample{At: at, Weight: s.Weight, Missing: why}, encode(before), nil
	}
	s.Custom, after.Custom = p.custom(ctx, ask, before.Custom, at)
	return s, encode(after), nil
}

// serving gives an arm the instances that the platform knows of. A gateway counts what all of
// them did: whatever one of them does is a part of it.
func serving(a *judge.Arm, instances int) {
	if instances <= a.Instances {
		return
	}
	if a.WarmInstances > 0 {
		a.WarmInstances = instances
	}
	a.Instances = instances
}

// unanswered turns an error of a query into a sample without evidence, or into a
// fault where the query itself is wrong.
func (p *Prometheus) unanswered(s judge.Sample, cursor []byte, before *promCursor, err error) (judge.Sample, []byte, error) {
	if fault.CodeOf(err) == fault.Invalid {
		return judge.Sample{}, nil, err
	}
	if before.At != 0 {
		cursor = encode(before)
	}
	why := fmt.Sprintf("Prometheus at %s: %v", p.api.base.Redacted(), err)
	return judge.Sample{At: s.At, Weight: s.Weight, Missing: why}, cursor, nil
}

var (
	_ Source    = (*Prometheus)(nil)
	_ Historian = (*Prometheus)(nil)
	_ Prober    = (*Prometheus)(nil)
	_ Paced     = (*Prometheus)(nil)
)
