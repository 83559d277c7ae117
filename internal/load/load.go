// Package load sends a bounded open-loop load over HTTP: requests leave at a
// constant rate whether or not earlier ones were answered, as users do, and each
// latency counts from the instant at which the request was due. So a service
// that stalls shows the stall in every request that it kept waiting.
//
//	result, err := load.Run(ctx, load.Config{URL: "http://127.0.0.1:8080/", Rate: 200, Duration: time.Minute})
package load

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
)

// The most that may be asked, so that a slip of the keyboard is no attack.
const (
	MaxRate     = 20_000
	MaxDuration = time.Hour
)

// Config says what to send.
type Config struct {
	URL string
	// Rate is in requests per second, above 0 and at most MaxRate.
	Rate float64
	// Duration is above 0 and at most MaxDuration.
	Duration time.Duration
	// Timeout bounds one request; default 10 s.
	Timeout time.Duration
	// Connections bounds the idle connections kept; default 256.
	Connections int
	// Label is the answer's header by which Result.ByLabel counts; empty counts none.
	Label string
	// Observe is called after every request, from many goroutines; may be nil.
	Observe func(Answer)
}

// Answer is the outcome of one request.
type Answer struct {
	At      time.Time // when it was due
	Latency time.Duration
	// Status is 0 where there was no answer; Err says why.
	Status int
	Err    error
	Label  string
}

// OK tells whether the request was answered, and not with a server's error.
func (a Answer) OK() bool { return a.Err == nil && a.Status < 500 }

// Result is what a load came to.
type Result struct {
	Requests int
	// Errors had no answer; Statuses counts the answers.
	Errors   int
	Statuses map[int]int
	Latency  Latencies
	ByLabel  map[string]Count
	// LastError is an example of a missing answer.
	LastError error
}

// Count is what one label did.
type Count struct{ Requests, Failed int }

// Failed counts requests without an answer, or with a server's error.
func (r *Result) Failed() int {
	n := r.Errors
	for status, count := range r.Statuses {
		if status >= 500 {
			n += count
		}
	}
	return n
}

// Validate returns what is wrong with c.
func (c Config) Validate() error {
	if !(c.Rate > 0 && c.Rate <= MaxRate) {
		return fault.Errorf(fault.Invalid, "a load of %v requests per second is not between 0 and %d", c.Rate, MaxRate)
	}
	if c.Duration <= 0 || c.Duration > MaxDuration {
		return fault.Errorf(fault.Invalid, "a load of %s is not between 0 and %s", c.Duration, MaxDuration)
	}
	if _, err := http.NewRequest(http.MethodGet, c.URL, nil); err != nil {
		return fault.Errorf(fault.Invalid, "the load has no address: %w", err)
	}
	return nil
}

// Run sends the load and returns when every request has its outcome. When ctx
// ends, no new ones are sent.
func Run(ctx context.Context, c Config) (*Result, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if c.Timeout == 0 {
		c.Timeout = 10 * time.Second
	}
	if c.Connections == 0 {
		c.Connections = 256
	}
	transport := &http.Transport{MaxIdleConns: c.Connections, MaxIdleConnsPerHost: c.Connections, IdleConnTimeout: time.Minute}
	defer transport.CloseIdleConnections()
	l := &sender{
		config: c, result: &Result{Statuses: map[int]int{}, ByLabel: map[string]Count{}},
		client: http.Client{Transport: transport, Timeout: c.Timeout, CheckRedirect: noRedirect},
	}
	l.send(ctx)
	return l.result, nil
}

func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

type sender struct {
	config Config
	client http.Client
	mu     sync.Mutex
	result *Result
}

// send starts each request when it is due. A sender that fell behind catches up,
// so the number of requests is right in the end.
func (l *sender) send(ctx context.Context) {
	var all sync.WaitGroup
	defer all.Wait()
	start := time.Now()
	gap := float64(time.Second) / l.config.Rate
	total := int(l.config.Rate * l.config.Duration.Seconds())
	timer := time.NewTimer(0)
	defer timer.Stop()
	for i := range total {
		due := start.Add(time.Duration(float64(i) * gap))
		if wait := time.Until(due); wait > 0 {
			timer.Reset(wait)
			select {
			case <-ctx.Done():
				return
			case <-timer.C:
			}
		} else if ctx.Err() != nil {
			return
		}
		all.Add(1)
		go func() {
			defer all.Done()
			// A request under way is not given up when the load ends: that would count as a failure.
			l.take(l.one(context.WithoutCancel(ctx), due))
		}()
	}
}

func (l *sender) one(ctx context.Context, due time.Time) Answer {
	a := Answer{At: due}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, l.config.URL, nil)
	if err != nil {
		a.Err = err
		return a
	}
	res, err := l.client.Do(req)
	if err == nil {
		_, err = io.Copy(io.Discard, res.Body)
		res.Body.Close()
		a.Status = res.StatusCode
		if l.config.Label != "" {
			a.Label = res.Header.Get(l.config.Label)
		}
	}
	a.Err = err
	a.Latency = time.Since(due)
	return a
}

func (l *sender) take(a Answer) {
	l.mu.Lock()
	r := l.result
	r.Requests++
	if a.Err != nil {
		r.Errors++
		r.LastError = a.Err
	} else {
		r.Statuses[a.Status]++
	}
	r.Latency.Add(a.Latency)
	if l.config.Label != "" {
		label := a.Label
		if label == "" {
			label = strconv.Itoa(a.Status)
		}
		count := r.ByLabel[label]
		count.Requests++
		if !a.OK() {
			count.Failed++
		}
		r.ByLabel[label] = count
	}
	l.mu.Unlock()
	if l.config.Observe != nil {
		l.config.Observe(a)
	}
}
