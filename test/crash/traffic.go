package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/fairwayhq/fairway/internal/load"
)

// traffic is the users of all services, from their first release to the end.
type traffic struct {
	cancel context.CancelFunc
	done   sync.WaitGroup
	users  []user
	told   map[string]int64 // what faults has told already
}

type user struct {
	target string
	load   *load.Load
	// drilled tells that drills are held here: the router then answers with errors of
	// its own, on purpose.
	drilled bool
}

// stagingRate is how many requests a second go to an environment before the last.
const stagingRate = 15

func startTraffic(fleet []*service) (*traffic, error) {
	ctx, cancel := context.WithCancel(context.Background())
	t := &traffic{cancel: cancel, told: map[string]int64{}}
	for _, s := range fleet {
		for _, p := range s.places {
			rate := s.rate
			if p != s.last() {
				rate = stagingRate
			}
			l, err := load.New(load.Config{URL: "http://" + p.address + "/", Rate: rate, VersionHeader: "Shop-Version"})
			if err != nil {
				cancel()
				return nil, err
			}
			t.users = append(t.users, user{s.target(p).String(), l, slices.Contains(s.outcomes, drilled)})
			t.done.Go(func() { l.Run(ctx) })
		}
	}
	return t, nil
}

func (t *traffic) stop() {
	t.cancel()
	t.done.Wait()
}

func (t *traffic) requests() (n int64) {
	for _, u := range t.users {
		n += u.load.Report().Requests
	}
	return n
}

// faults are the requests that failed for another reason than the errors that a
// bad version was built with, or a drill made, since it was called last.
func (t *traffic) faults() (faults []string) {
	fault := func(what string, n int64) {
		if n > t.told[what] {
			faults = append(faults, fmt.Sprintf("%d %s", n-t.told[what], what))
		}
		t.told[what] = n
	}
	for _, u := range t.users {
		r := u.load.Report()
		for class, n := range r.Transport {
			fault(fmt.Sprintf("requests to %s had no answer (%s)", u.target, class), n)
		}
		for version, v := range r.Versions {
			switch {
			case version == "" && u.drilled && v.Requests <= r.Status[http.StatusServiceUnavailable]:
			case version == "":
				fault(fmt.Sprintf("answers of %s were not the service's own: %v", u.target, r.Status), v.Requests)
			case !strings.HasPrefix(version, "bad"):
				fault(fmt.Sprintf("answers of %s by version %s failed", u.target, version), v.Failed)
			}
		}
	}
	return faults
}
