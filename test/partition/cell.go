package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/load"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/test/ports"
	"github.com/fairwayhq/fairway/test/program"
)

// cell is a region: a service with its users, and one worker or two.
type cell struct {
	*rig
	index   int
	random  *rand.Rand
	region  string
	service string
	address string
	workers map[string]*program.Program
	proxies map[string]*proxy
	watch   *watch
	users   context.CancelFunc
	left    chan struct{} // closed when the users have gone
	number  int           // of the last release
}

// secretValue must not come to lie in a journal.
const secretValue = "a-value-that-nobody-should-find"

// rate is how many requests a second the users of a cell make.
const rate = 60

// two tells that the cell has a second worker, kills that the one that is cut off is killed
// and comes back, loses that one of two is not cut off but gone for as long.
func (c *cell) two() bool   { return c.index%2 == 1 }
func (c *cell) kills() bool { return c.index%4 == 2 }
func (c *cell) loses() bool { return c.index%4 == 3 }

// share is how many of the cuts, or of the losses, are the cell's.
func (c *cell) share() int {
	all, cells, before := c.o.cuts, c.o.cells-c.o.cells/4, c.index-(c.index+1)/4
	if c.loses() {
		all, cells, before = c.o.losses, c.o.cells/4, c.index/4
	}
	return (all - before + cells - 1) / cells
}

func newCell(ctx context.Context, r *rig, index int, random *rand.Rand) (c *cell, err error) {
	c = &cell{
		rig: r, index: index, random: rand.New(rand.NewPCG(random.Uint64(), 2)),
		region: fmt.Sprintf("cell-%d", index), service: fmt.Sprintf("shop-%d", index),
		workers: map[string]*program.Program{}, proxies: map[string]*proxy{},
	}
	if c.address, err = ports.Partition.Free(random); err != nil {
		return c, err
	}
	names := []string{"a"}
	if c.two() {
		names = append(names, "b")
	}
	for _, n := range names {
		if err := c.startWorker(ctx, fmt.Sprintf("worker-%d%s", index, n)); err != nil {
			return c, err
		}
	}
	c.watch = newWatch(filepath.Join(r.path(c.region), "router"), c.service+"/production/"+c.region)
	return c, nil
}

// startWorker starts a worker behind a proxy, with a token for its region.
func (c *cell) startWorker(ctx context.Context, name string) error {
	p, err := newProxy(c.rig.address)
	if err != nil {
		return err
	}
	c.proxies[name] = p
	made, err := c.api.AddToken(ctx, client.NewToken{Name: name, Worker: true, Environments: []string{"production"}, Regions: []string{c.region}})
	if err != nil {
		return err
	}
	token := c.path(name + ".token")
	if err := os.WriteFile(token, []byte(made.Secret), 0o600); err != nil {
		return err
	}
	c.workers[name] = c.process(name, "worker", "--server", p.url(), "--token-file", token, "--data-dir", c.path(c.region),
		"--name", name, "--environment", "production", "--region", c.region)
	c.workers[name].Env = append(c.workers[name].Env, "PARTITION_SECRET="+secretValue)
	return c.workers[name].Start()
}

func (c *cell) close() {
	if c.users != nil {
		c.users()
		<-c.left
	}
	if c.watch != nil {
		c.watch.close()
	}
	for _, w := range c.workers {
		w.Kill()
	}
	for _, p := range c.proxies {
		p.close()
	}
}

// A canary that is long enough to be met, with margins so wide that a busy machine does
// not make a good version look bad.
const definition = `service: %s
expect: {rate: %d/s, errors: 0.1%%}
host: {run: $ARTIFACT -port $PORT, ready: {path: /healthz, timeout: 20s, interval: 50ms}, drain: 1s, stopTimeout: 2s}
environments:
  - name: production
    region: %s
    onUndecided: promote
    host: {listen: %q, instances: 1}
    config: {env: {SHOP_VERSION: %s, SHOP_ERROR_RATE: "%s"}, secrets: {SHOP_KEY: "env:PARTITION_SECRET"}}
    stages:
      - {canary: {margin: {errors: 4pp, latency: 1000%%}, budget: 1000, block: 1s, warmUp: 1s, firstWeight: 20%%, every: 15s, dwell: 15s, observation: 40s, minimumSamples: 20}}
      - {watch: {for: 5s, holdback: 20%%, margin: {errors: 4pp, latency: 1000%%}, block: 1s, warmUp: 1s, minimumSamples: 20}}
      - promote
`

// ship begins a release.
func (c *cell) ship(ctx context.Context, bad bool) (client.ReleaseDetail, error) {
	c.number++
	version, errors := fmt.Sprintf("good-%d", c.number), "0"
	if bad {
		version, errors = fmt.Sprintf("bad-%d", c.number), fmt.Sprint(c.o.harm)
	}
	c.watch.begin()
	return c.api.Create(ctx, client.NewRelease{
		Definition: fmt.Sprintf(definition, c.service, rate, c.region, c.address, version, errors),
		Version:    version, Artifact: c.artifact, Digest: c.digest,
	}, "")
}

// ended waits for the release's end.
func (c *cell) ended(ctx context.Context, id string, want pipeline.RunState) error {
	var d client.ReleaseDetail
	err := until(ctx, 2*time.Minute, "release "+id+" has ended", func() bool {
		now, err := c.api.Release(ctx, id)
		if err == nil {
			d = now
		}
		return err == nil && d.State.Final()
	})
	switch {
	case err != nil:
		return fmt.Errorf("%w; it is %s: %s", err, d.State, d.Headline)
	case d.State != want:
		return fmt.Errorf("release %s of %s ended as %s, not as %s: %s", id, c.service, d.State, want, d.Headline)
	}
	v, err := c.api.Verify(ctx, id)
	if err == nil && !v.OK {
		err = fmt.Errorf("the ledger of release %s is broken", id)
	}
	return err
}

// kept looks into the journals of the cell's workers: how many there are, and whether the
// value of a secret is in one.
func (c *cell) kept() (journals int, spilt bool) {
	found, _ := filepath.Glob(c.path(c.region, "journal", "*", "*.journal"))
	for _, f := range found {
		text, err := os.ReadFile(f)
		if err == nil {
			journals++
			spilt = spilt || strings.Contains(string(text), secretValue)
		}
	}
	return journals, spilt
}

// visit lets users come.
func (c *cell) visit() error {
	l, err := load.New(load.Config{URL: "http://" + c.address + "/", Rate: rate})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	c.users, c.left = cancel, make(chan struct{})
	go func() { defer close(c.left); l.Run(ctx) }()
	return nil
}
