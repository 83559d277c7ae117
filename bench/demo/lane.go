package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/load"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

// course is what a part does on a server of its own: in each lane it opens a service,
// and releases versions of it while users come.
type course struct {
	name, definition, version string // the first version, by the definition's file
	lanes                     int
	releases                  func(ctx context.Context, l *lane, i int) error
}

// users is what those of all lanes saw.
type users struct {
	reports []load.Report
	failed  int64 // by deploys
}

func (u users) requests() (n int64) {
	for _, report := range u.reports {
		n += report.Requests
	}
	return n
}

func (c config) run(ctx context.Context, o course) (users, error) {
	text, err := os.ReadFile(o.definition)
	if err != nil {
		return users{}, err
	}
	s, err := startServer(ctx, c)
	if err != nil {
		return users{}, err
	}
	defer s.stop()
	var mu sync.Mutex
	var all users
	err = inLanes(o.lanes, func(i int) error {
		l, err := s.open(ctx, opening{name: fmt.Sprintf("%s-%d", o.name, i+1), definition: string(text), version: o.version, rate: c.rate})
		if err != nil {
			return err
		}
		report, err := l.whileUsersCome(func() error { return o.releases(ctx, l, i) })
		mu.Lock()
		defer mu.Unlock()
		all.reports = append(all.reports, report)
		all.failed += l.failedByDeploys(report)
		return err
	})
	return all, err
}

// lane is one service with its own traffic, which gets good and bad versions in turn.
type lane struct {
	*server
	name, definition string
	traffic          *load.Load
}

// opening is what a lane begins with: the first version of a service, which all
// others are compared with, and its users' requests per second.
type opening struct {
	name, definition, version string
	rate                      float64
}

// mostBehind is how many seconds of requests may be under way. A machine that is too
// busy for so many lanes would otherwise never get over its first stall: what waited
// comes all at once, each on a connection of its own.
const mostBehind = 2

// open releases the first version. The definition is that of a service called shop
// on port 8080; each lane has a name and a port of its own.
func (s *server) open(ctx context.Context, o opening) (*lane, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.services = append(s.services, o.name)
	s.mu.Unlock()
	text := strings.Replace(o.definition, "service: shop", "service: "+o.name, 1)
	l := &lane{server: s, name: o.name, definition: strings.Replace(text, "127.0.0.1:8080", address, 1)}
	d, err := l.ship(ctx, o.version, time.Minute)
	if err != nil {
		return nil, err
	}
	if d.State != pipeline.RunSucceeded {
		return nil, fmt.Errorf("%s: the first release is %s: %s", o.name, d.State, d.Headline)
	}
	l.traffic, err = load.New(load.Config{
		URL: "http://" + address + "/", Rate: o.rate, VersionHeader: "Shop-Version",
		MaxInflight: int64(mostBehind * o.rate),
	})
	return l, err
}

// whileUsersCome does what it is given, and returns what users saw meanwhile.
func (l *lane) whileUsersCome(do func() error) (load.Report, error) {
	users, stop := context.WithCancel(context.Background())
	done := make(chan load.Report, 1)
	go func() { done <- l.traffic.Run(users) }()
	err := do()
	stop()
	return <-done, err
}

// failedByDeploys are the requests that failed and not by an answer of any version:
// those are of the router, or there was none.
func (l *lane) failedByDeploys(report load.Report) int64 {
	failed := report.Failed
	for version, v := range report.Versions {
		if version != "" {
			failed -= v.Failed
		} else if v.Failed > 0 {
			fmt.Printf("%s: %d answers of the router itself said that something failed\n", l.name, v.Failed)
		}
	}
	if len(report.Transport) > 0 {
		fmt.Printf("%s: requests without an answer: %v\n", l.name, report.Transport)
	}
	return failed
}

// shareOf is what lane i has of n releases.
func shareOf(n, lanes, i int) int {
	share := n / lanes
	if i < n%lanes {
		share++
	}
	return share
}

// ship creates a release and waits for its end, but not for longer than a limit: the
// release that it returns may be under way.
func (l *lane) ship(ctx context.Context, version string, limit time.Duration) (client.ReleaseDetail, error) {
	path, err := filepath.Abs(filepath.Join(l.artifacts, "shop-"+version))
	if err != nil {
		return client.ReleaseDetail{}, err
	}
	digest, err := digestOf(path)
	if err != nil {
		return client.ReleaseDetail{}, err
	}
	made, err := l.api.Create(ctx, client.NewRelease{Definition: l.definition, Version: version, Artifact: path, Digest: digest}, ulid.Make().String())
	if err != nil {
		return made, err
	}
	waiting, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	end := made
	err = l.api.Live(waiting, made.ID, "", client.Listener{Release: func(d client.ReleaseDetail) error {
		end = d
		if d.State.Final() {
			return client.ErrStop
		}
		return nil
	}})
	if waiting.Err() != nil && ctx.Err() == nil {
		return end, nil
	}
	return end, err
}

// rollBack takes a release back by hand.
func (l *lane) rollBack(ctx context.Context, id, reason string) error {
	if _, err := l.api.Rollback(ctx, id, client.Rollback{Reason: reason}); err != nil {
		return err
	}
	return l.await(ctx, id, pipeline.RunRolledBack)
}

// await waits until the release is in the state.
func (l *lane) await(ctx context.Context, id string, state pipeline.RunState) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		d, err := l.api.Release(ctx, id)
		if err != nil || d.State == state {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s is not %s after a minute: %s", id, state, d.Headline)
		case <-time.After(200 * time.Millisecond):
		}
	}
}
