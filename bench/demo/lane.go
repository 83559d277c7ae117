package main

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/load"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

// lane is one service with its own traffic, which gets good and bad versions in turn.
type lane struct {
	*server
	name, definition string
	traffic          *load.Load
}

// lane carries out its share of the releases.
func (s *server) lane(ctx context.Context, c config, i int, r *results) error {
	address, err := freeAddress()
	if err != nil {
		return err
	}
	name := laneName(i)
	text := strings.Replace(s.definition, "service: shop", "service: "+name, 1)
	l := &lane{server: s, name: name, definition: strings.Replace(text, "127.0.0.1:8080", address, 1)}
	if d, err := l.ship(ctx, c, "v1"); err != nil || d.State != pipeline.RunSucceeded {
		return fmt.Errorf("%s: the first release is %s: %v", name, d.State, err)
	}
	if l.traffic, err = load.New(load.Config{URL: "http://" + address + "/", Rate: c.rate, VersionHeader: "Shop-Version"}); err != nil {
		return err
	}
	users, stop := context.WithCancel(context.Background())
	done := make(chan load.Report, 1)
	go func() { done <- l.traffic.Run(users) }()
	err = l.releases(ctx, c, i, r)
	stop()
	report := <-done
	r.mu.Lock()
	defer r.mu.Unlock()
	r.total += report.Requests
	r.failed += report.Failed
	for version, v := range report.Versions {
		if version != "" {
			r.failed -= v.Failed
		} else if v.Failed > 0 {
			fmt.Printf("%s: %d answers of the router itself said that something failed\n", name, v.Failed)
		}
	}
	if len(report.Transport) > 0 {
		fmt.Printf("%s: requests without an answer: %v\n", name, report.Transport)
	}
	return err
}

func laneName(i int) string { return fmt.Sprintf("shop-%d", i+1) }

func (l *lane) releases(ctx context.Context, c config, i int, r *results) error {
	good, bad := shareOf(c.good, c.lanes, i), shareOf(c.bad, c.lanes, i)
	for n := range max(good, bad) {
		if n < bad {
			if err := l.bad(ctx, c, r); err != nil {
				return err
			}
		}
		if n < good {
			if err := l.good(ctx, c, r); err != nil {
				return err
			}
		}
	}
	return nil
}

func shareOf(n, lanes, i int) int {
	share := n / lanes
	if i < n%lanes {
		share++
	}
	return share
}

// good ships the good version, and takes it back when it is at home, so that each
// one is compared with the same first version.
func (l *lane) good(ctx context.Context, c config, r *results) error {
	d, err := l.ship(ctx, c, "v2")
	if err != nil {
		return err
	}
	took := d.EndedAt.Sub(d.CreatedAt).Seconds()
	r.mu.Lock()
	fmt.Printf("%s: good v2 %s after %.1f s\n", l.name, d.State, took)
	if d.State == pipeline.RunSucceeded {
		r.promote = append(r.promote, took)
	} else {
		r.falseRollbacks++
	}
	r.mu.Unlock()
	if d.State != pipeline.RunSucceeded {
		return nil
	}
	if _, err := l.api.Rollback(ctx, d.ID, client.Rollback{Reason: "the next one begins where this one did"}); err != nil {
		return err
	}
	return l.await(ctx, d.ID, pipeline.RunRolledBack)
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

// bad ships the bad version and reads from the ledger when the traffic was back.
func (l *lane) bad(ctx context.Context, c config, r *results) error {
	before := l.traffic.Report().Versions["v3"].Failed
	d, err := l.ship(ctx, c, "v3")
	if err != nil {
		return err
	}
	served := l.traffic.Report().Versions["v3"].Failed - before
	back, route, err := l.backAt(ctx, d)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	fmt.Printf("%s: bad v3 %s, traffic back after %.1f s, %d bad answers\n", l.name, d.State, back, served)
	if d.State != pipeline.RunRolledBack {
		r.missed++
		return nil
	}
	r.rollback, r.route, r.badServed = append(r.rollback, back), append(r.route, route), append(r.badServed, float64(served))
	return nil
}

func (l *lane) backAt(ctx context.Context, d client.ReleaseDetail) (back, route float64, err error) {
	page, err := l.api.Events(ctx, d.ID, 0, 500)
	if err != nil {
		return 0, 0, err
	}
	for _, e := range page.Items {
		if e.Kind == "canary.back" || e.Kind == "watch.back" {
			var data struct{ Seconds float64 }
			err := json.Unmarshal(e.Data, &data)
			return e.At.Sub(d.CreatedAt).Seconds(), data.Seconds, err
		}
	}
	return 0, 0, nil
}

// ship creates a release and waits for its end.
func (l *lane) ship(ctx context.Context, c config, version string) (client.ReleaseDetail, error) {
	path, err := filepath.Abs(filepath.Join(c.artifacts, "shop-"+version))
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
	ctx, cancel := context.WithTimeout(ctx, 8*time.Minute)
	defer cancel()
	end := made
	err = l.api.Live(ctx, made.ID, "", client.Listener{Release: func(d client.ReleaseDetail) error {
		end = d
		if d.State.Final() {
			return client.ErrStop
		}
		return nil
	}})
	if err == nil && !end.State.Final() {
		err = fmt.Errorf("%s %s did not end: %s", l.name, version, end.Headline)
	}
	return end, err
}
