// Package load sends HTTP requests at a constant rate and counts what comes back.
//
// It is open loop: a request is sent when its time has come, whether or not
// earlier ones were answered, and its latency runs from that time, so a service
// that stalls is not measured kindly. It never retries: every failure is
// counted, also those that a browser would hide. It keeps connections alive.
//
//	l, err := load.New(load.Config{URL: "http://127.0.0.1:8080/", Rate: 500, Duration: time.Minute})
//	report := l.Run(ctx)
package load

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
)

// Config says what to send.
type Config struct {
	// URL is http or https.
	URL string
	// Method is GET when empty.
	Method string
	Header http.Header
	Body   []byte
	// Rate is in requests per second.
	Rate float64
	// Duration ends the load; 0 means when its context ends.
	Duration time.Duration
	// Requests ends the load after so many; 0 means no limit.
	Requests int64
	// Timeout is for one request; 10 s when 0.
	Timeout time.Duration
	// MaxInflight bounds the requests under way; one that would exceed it is not
	// sent and counts as failed. 10,000 when 0.
	MaxInflight int64
	// VersionHeader is the header of answers that is counted in Report.Versions;
	// Fairway-Revision when empty.
	VersionHeader string
	// Each is told of every request when it is over, by several goroutines at once; nil
	// is nobody.
	Each func(Answer)
}

// Answer is how one request ended.
type Answer struct {
	// Due is when it had to be sent, Done when the answer was there or it had failed.
	Due, Done time.Time
	// Status is 0 and Header nil when there was no answer; Failure then says why, in the
	// words of Report.Transport.
	Status  int
	Header  http.Header
	Failure string
}

// Validate returns the first fault.
func (c Config) Validate() error {
	u, err := url.Parse(c.URL)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return fault.Errorf(fault.Invalid, "%q is not an http or https URL", c.URL)
	case !(c.Rate > 0 && c.Rate <= 1e6):
		return fault.Errorf(fault.Invalid, "the rate %v is not between 0 and a million requests per second", c.Rate)
	case c.Duration < 0 || c.Requests < 0 || c.Timeout < 0 || c.MaxInflight < 0:
		return fault.Errorf(fault.Invalid, "a limit of the load is negative")
	}
	return nil
}

func (c Config) withDefaults() Config {
	if c.Method == "" {
		c.Method = http.MethodGet
	}
	if c.Timeout == 0 {
		c.Timeout = 10 * time.Second
	}
	if c.MaxInflight == 0 {
		c.MaxInflight = 10_000
	}
	if c.VersionHeader == "" {
		c.VersionHeader = "Fairway-Revision"
	}
	return c
}

// Load is one run of load. Report may be called at any time.
type Load struct {
	config   Config
	client   *client
	tally    tally
	inflight atomic.Int64
}

// New makes a load that does not run yet.
func New(c Config) (*Load, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	c = c.withDefaults()
	req, err := http.NewRequest(c.Method, c.URL, bytes.NewReader(c.Body))
	if err != nil {
		return nil, fault.Errorf(fault.Invalid, "make the request: %w", err)
	}
	if c.Header != nil {
		req.Header = c.Header.Clone()
		req.Host = c.Header.Get("Host")
	}
	client, err := newClient(req, c.Timeout)
	if err != nil {
		return nil, err
	}
	return &Load{config: c, client: client, tally: newTally()}, nil
}

// Run sends until the load is over, waits for the last answers and returns what
// came back.
func (l *Load) Run(ctx context.Context) Report {
	var wait sync.WaitGroup
	l.tally.begin(time.Now())
	l.schedule(ctx, func(due time.Time) {
		if l.inflight.Add(1) > l.config.MaxInflight {
			l.inflight.Add(-1)
			now := time.Now()
			l.failed("too many in flight", times{due, now, now})
			return
		}
		wait.Go(func() {
			defer l.inflight.Add(-1)
			l.one(due)
		})
	})
	wait.Wait()
	l.client.close()
	return l.Report()
}

// schedule calls send at each request's time. After a pause of the machine it
// catches up at once.
func (l *Load) schedule(ctx context.Context, send func(due time.Time)) {
	gap := float64(time.Second) / l.config.Rate
	start := time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for i := int64(0); l.config.Requests == 0 || i < l.config.Requests; i++ {
		offset := time.Duration(float64(i) * gap)
		if l.config.Duration > 0 && offset >= l.config.Duration {
			return
		}
		due := start.Add(offset)
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
		send(due)
	}
}

func (l *Load) one(due time.Time) {
	sent := time.Now()
	res, err := l.client.do()
	at := times{due, sent, time.Now()}
	if err != nil {
		l.failed(classOf(err), at)
		return
	}
	l.tally.answer(res.StatusCode, res.Header.Get(l.config.VersionHeader), at)
	if l.config.Each != nil {
		l.config.Each(Answer{Due: at.due, Done: at.done, Status: res.StatusCode, Header: res.Header})
	}
}

func (l *Load) failed(class string, at times) {
	l.tally.fail(class, at)
	if l.config.Each != nil {
		l.config.Each(Answer{Due: at.due, Done: at.done, Failure: class})
	}
}

// Report returns what came back so far.
func (l *Load) Report() Report { return l.tally.report(l.inflight.Load()) }
