package rig

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/fairwayhq/fairway/internal/load"
)

// Answer is how one request of a user ended.
type Answer struct {
	// Due is when the request had to be sent, Took the time from then to its end.
	Due  time.Time
	Took time.Duration
	// Status is 0 where there was no answer; Failure then says why in a word.
	Status  int
	Failure string
	// Version is who answered; empty where it was the gateway.
	Version string
	// Fault says that a bad version did to the answer what others do not.
	Fault bool
}

// Failed tells whether a user got nothing of it. The shop itself says only 200 and 500; a
// gateway that has no route for a moment says 404.
func (a Answer) Failed() bool { return a.Status < 200 || a.Status >= 400 }

// Traffic is the users of a team: an open loop of requests through the gateway, of which
// every answer is kept.
type Traffic struct {
	load *load.Load
	end  context.CancelFunc
	done chan struct{}

	mu      sync.Mutex
	answers []Answer
}

func startTraffic(url, host string, rate float64) (*Traffic, error) {
	t := &Traffic{done: make(chan struct{})}
	var err error
	t.load, err = load.New(load.Config{
		URL: url + "/products", Header: http.Header{"Host": {host}}, Rate: rate,
		VersionHeader: "Shop-Version", Each: t.keep,
	})
	if err != nil {
		return nil, err
	}
	ctx, end := context.WithCancel(context.Background())
	t.end = end
	go func() {
		defer close(t.done)
		t.load.Run(ctx)
	}()
	return t, nil
}

// Since are the answers to requests that were due at an instant or later.
func (t *Traffic) Since(from time.Time) []Answer {
	t.mu.Lock()
	defer t.mu.Unlock()
	// They are kept by their ends, which are not far from when they were due.
	var all []Answer
	for _, a := range slices.Backward(t.answers) {
		if a.Due.Before(from.Add(-time.Minute)) {
			break
		}
		if !a.Due.Before(from) {
			all = append(all, a)
		}
	}
	slices.Reverse(all)
	return all
}

// Count counts answers.
func Count(answers []Answer, what func(Answer) bool) (n int) {
	for _, a := range answers {
		if what(a) {
			n++
		}
	}
	return n
}

func (t *Traffic) keep(a load.Answer) {
	kept := Answer{Due: a.Due, Took: a.Done.Sub(a.Due), Status: a.Status, Failure: a.Failure}
	if a.Header != nil {
		kept.Version, kept.Fault = a.Header.Get("Shop-Version"), a.Header.Get("Shop-Fault") != ""
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.answers = append(t.answers, kept)
}

func (t *Traffic) stop() {
	t.end()
	<-t.done
}

// asked asks once, and wants a good answer.
func asked(ctx context.Context, url, host string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	r.Host = host
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", host, answer.Status)
	}
	return nil
}
