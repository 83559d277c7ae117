package metric

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
)

// Bounds on what one query may cost this process.
const (
	promTimeout   = 10 * time.Second
	promMaxBytes  = 64 << 20
	promMaxSeries = 10_000
)

// promAPI speaks the query part of Prometheus' HTTP API.
type promAPI struct {
	base *url.URL
	http *http.Client
	// window is the length of the windows of expressions.
	window time.Duration
}

func newPromAPI(base *url.URL, transport http.RoundTripper) promAPI {
	return promAPI{base: base, http: &http.Client{Transport: transport, CheckRedirect: func(req *http.Request, via []*http.Request) error {
		if req.URL.Host != base.Host || req.URL.Scheme != base.Scheme {
			return fmt.Errorf("it redirects to another place (%s), which is refused", req.URL.Host)
		}
		if len(via) > 3 {
			return errors.New("it redirects in a circle")
		}
		return nil
	}}}
}

// promSeries is one series of an answer. Samples are in order of time.
type promSeries struct {
	Metric map[string]string `json:"metric"`
	Values []promValue       `json:"values"`
	// Value is that of an answer at one instant.
	Value      *promValue      `json:"value"`
	Histograms []promHistogram `json:"histograms"`
}

// promValue is one sample: milliseconds since 1970 and a value that may be NaN.
type promValue struct {
	t int64
	v float64
}

// promHistogram is one sample of a native histogram.
type promHistogram struct {
	t       int64
	count   float64
	buckets []promBucket
}

// promBucket counts observations between two bounds.
type promBucket struct{ left, right, count float64 }

// samples returns all raw samples of the selected series in (at − span, at], or what an
// expression gives at the ends of the windows in that time.
// A fault.Invalid means that Prometheus cannot understand the query; any other
// error is trouble that may pass.
func (a promAPI) samples(ctx context.Context, s selector, span time.Duration, at time.Time) ([]promSeries, error) {
	query := fmt.Sprintf("%s[%dms]", s, span.Milliseconds())
	if s.windowed() {
		query = fmt.Sprintf("(%s)[%dms:%dms]", s.over(a.window), span.Milliseconds(), a.window.Milliseconds())
	}
	return a.query(ctx, query, at, "matrix")
}

// exists tells whether any series at all has the metric's name.
func (a promAPI) exists(ctx context.Context, name string, at time.Time) (bool, error) {
	found, err := a.query(ctx, fmt.Sprintf("count(%s)", selector{name: name}), at, "vector")
	return len(found) > 0, err
}

func (a promAPI) query(ctx context.Context, query string, at time.Time, shape string) ([]promSeries, error) {
	ctx, cancel := context.WithTimeout(ctx, promTimeout)
	defer cancel()
	form := url.Values{"query": {query}, "time": {formatMillis(at.UnixMilli())}}
	// As a POST a long selector fits as well.
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.base.JoinPath("api/v1/query").String(), strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := a.http.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err // without the URL, which may hold a password
		}
		return nil, fmt.Errorf("it does not answer: %w", err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, promMaxBytes+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("its answer broke off: %w", err)
	case len(body) > promMaxBytes:
		return nil, fmt.Errorf("its answer is larger than %d MiB; select fewer series", promMaxBytes>>20)
	}
	return readAnswer(res.StatusCode, body, shape)
}

// readAnswer reads the body of an answer to a query.
func readAnswer(status int, body []byte, shape string) ([]promSeries, error) {
	var answer struct {
		Status    string   `json:"status"`
		ErrorType string   `json:"errorType"`
		Error     string   `json:"error"`
		Warnings  []string `json:"warnings"`
		Data      struct {
			ResultType string       `json:"resultType"`
			Result     []promSeries `json:"result"`
		} `json:"data"`
	}
	err := json.Unmarshal(body, &answer)
	switch {
	case answer.Status == "error" && answer.ErrorType == "bad_data":
		return nil, fault.Errorf(fault.Invalid, "Prometheus does not understand the query: %s", brief(answer.Error))
	case answer.Status == "error":
		return nil, fmt.Errorf("it answers %d: %s", status, brief(answer.Error))
	case status != http.StatusOK:
		return nil, fmt.Errorf("it answers %d", status)
	case err != nil:
		return nil, fmt.Errorf("its answer is not that of a Prometheus: %w", err)
	case answer.Status != "success" || answer.Data.ResultType != shape:
		return nil, errors.New("its answer is not that of a Prometheus")
	case len(answer.Warnings) > 0:
		// A warning means that a part of the data may be left out.
		return nil, fmt.Errorf("it warns: %s", brief(answer.Warnings[0]))
	case len(answer.Data.Result) > promMaxSeries:
		return nil, fmt.Errorf("the query selects %d series, more than %d; select fewer", len(answer.Data.Result), promMaxSeries)
	}
	for _, s := range answer.Data.Result {
		if !s.ordered() {
			return nil, errors.New("the samples in its answer are not in order of time")
		}
	}
	return answer.Data.Result, nil
}

func (s promSeries) ordered() bool {
	for i := 1; i < len(s.Values); i++ {
		if s.Values[i].t <= s.Values[i-1].t {
			return false
		}
	}
	for i := 1; i < len(s.Histograms); i++ {
		if s.Histograms[i].t <= s.Histograms[i-1].t {
			return false
		}
	}
	return true
}

// UnmarshalJSON reads [seconds, "value"].
func (v *promValue) UnmarshalJSON(b []byte) error {
	var text string
	t, err := unmarshalPair(b, &text)
	if err != nil {
		return err
	}
	v.t = t
	v.v, err = parseNumber(text)
	return err
}

// UnmarshalJSON reads [seconds, {"count": …, "buckets": [[rule, "left", "right", "count"], …]}].
func (h *promHistogram) UnmarshalJSON(b []byte) error {
	var body struct {
		Count   string               `json:"count"`
		Buckets [][4]json.RawMessage `json:"buckets"`
	}
	t, err := unmarshalPair(b, &body)
	if err != nil {
		return err
	}
	h.t = t
	if h.count, err = parseNumber(body.Count); err != nil {
		return err
	}
	h.buckets = make([]promBucket, len(body.Buckets))
	for i, raw := range body.Buckets {
		// The rule says which ends belong to the bucket. Positive buckets contain
		// their upper end, as Fairway's do, so it is not needed.
		for j, into := range []*float64{&h.buckets[i].left, &h.buckets[i].right, &h.buckets[i].count} {
			var text string
			if err := json.Unmarshal(raw[j+1], &text); err != nil {
				return fmt.Errorf("a bucket: %w", err)
			}
			if *into, err = parseNumber(text); err != nil {
				return fmt.Errorf("a bucket: %w", err)
			}
		}
	}
	return nil
}

// unmarshalPair reads [seconds, value] and returns the time in milliseconds.
func unmarshalPair(b []byte, value any) (int64, error) {
	b = bytes.TrimSpace(b)
	first, second, ok := bytes.Cut(bytes.TrimSuffix(bytes.TrimPrefix(b, []byte("[")), []byte("]")), []byte(","))
	if !ok || len(b) == 0 || b[0] != '[' {
		return 0, errors.New("a sample is not a pair of time and value")
	}
	seconds, err := parseNumber(string(bytes.TrimSpace(first)))
	if err != nil || !(math.Abs(seconds) < 1e12) {
		return 0, fmt.Errorf("the time of a sample is %s", brief(string(first)))
	}
	if err := json.Unmarshal(second, value); err != nil {
		return 0, fmt.Errorf("a sample: %w", err)
	}
	return int64(math.Round(seconds * 1000)), nil
}

func parseNumber(text string) (float64, error) {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is not a number", brief(text))
	}
	return v, nil
}

// formatMillis writes a time as Prometheus reads it: seconds with three digits.
func formatMillis(ms int64) string { return strconv.FormatFloat(float64(ms)/1000, 'f', 3, 64) }

// brief shortens foreign text for a message.
func brief(text string) string {
	if runes := []rune(text); len(runes) > 200 {
		return string(runes[:200]) + "…"
	}
	return text
}
