package main

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/fairwayhq/fairway/bench/fleet"
	"github.com/fairwayhq/fairway/internal/api/client"
)

// embedded measures the same releases on one server with SQLite, which has no counters of
// its own: the server's metrics count transactions, and the system what was written.
func embedded(ctx context.Context, c config, dir string) error {
	r := &rig{dir: dir + "/sqlite", fairway: c.fairway}
	defer r.close()
	if err := r.begin(ctx); err != nil {
		return err
	}
	for _, n := range []int{1, 10, 50} {
		b := batchOf(n, c.legs)
		b.watch = shortWatch
		before, err := r.embedded(ctx)
		if err != nil {
			return err
		}
		if err := r.shipEmbedded(ctx, b); err != nil {
			return err
		}
		after, err := r.embedded(ctx)
		if err != nil {
			return err
		}
		each := after.plus(-1, before).per(float64(b.releases))
		fmt.Printf("  %3d regions: a release takes %.0f transactions that write and %.0f that read, %.0f ms of the server, %.0f kB written to the disk and %.1f kB kept\n",
			n, each.Updates, each.Views, each.Server*1e3, each.Log/1e3, each.Bytes/1e3)
	}
	return nil
}

func (r *rig) shipEmbedded(ctx context.Context, b batch) error {
	f, err := startFleet(ctx, muster{
		url: r.workersURL(), token: r.token, name: fmt.Sprint("sqlite-", b.regions), environment: "production",
		parallel: b.regions*b.releases + 10, executors: newWorld(b.speed, uint64(b.regions)).executors(),
	})
	if err != nil {
		return err
	}
	defer f.end()
	var texts []string
	for i := range b.releases {
		texts = append(texts, define(fmt.Sprintf("sqlite%d-%d", b.regions, i), regionNames(b.regions), b.watch, b.interval))
	}
	if err := r.createAll(ctx, texts); err != nil {
		return err
	}
	for end := time.Now().Add(5 * time.Minute); time.Now().Before(end); {
		if err := sleep(ctx, time.Second); err != nil {
			return err
		}
		moving, err := r.api.Releases(ctx, client.Filter{State: "running", Limit: 1})
		if err != nil || len(moving.Items) == 0 {
			return err
		}
	}
	return fmt.Errorf("releases have not come to their end within five minutes")
}

// embedded is a cost in which Log are the bytes written to the disk, and Bytes the file.
func (r *rig) embedded(ctx context.Context) (c cost, err error) {
	c.Server, c.WorkerWire = fleet.CPU(r.server.PID()).Seconds(), float64(r.workers.bytes.Load())
	const counter = "fairway_store_transaction_duration_seconds_count"
	if c.Updates, err = r.metric(ctx, counter, `kind="update"`); err != nil {
		return c, err
	}
	if c.Views, err = r.metric(ctx, counter, `kind="view"`); err != nil {
		return c, err
	}
	io, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", r.server.PID()))
	if err != nil {
		return c, err
	}
	for _, line := range strings.Split(string(io), "\n") {
		if n, ok := strings.CutPrefix(line, "write_bytes: "); ok {
			c.Log, _ = strconv.ParseFloat(n, 64)
		}
	}
	files, err := filepath.Glob(filepath.Join(r.dir, "server", "*.db"))
	if err != nil || len(files) == 0 {
		return c, fmt.Errorf("the server has no database file in %s", r.dir)
	}
	size, err := os.Stat(files[0])
	if err != nil {
		return c, err
	}
	c.Bytes = float64(size.Size())
	return c, nil
}

// metric reads one of the server's metrics.
func (r *rig) metric(ctx context.Context, name, label string) (float64, error) {
	ask, err := http.NewRequestWithContext(ctx, http.MethodGet, r.server.URL()+"/metrics", nil)
	if err != nil {
		return 0, err
	}
	answer, err := http.DefaultClient.Do(ask)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	lines := bufio.NewScanner(answer.Body)
	for lines.Scan() {
		if text := lines.Text(); strings.HasPrefix(text, name+"{") && strings.Contains(text, label) {
			return strconv.ParseFloat(text[strings.LastIndexByte(text, ' ')+1:], 64)
		}
	}
	return 0, fmt.Errorf("the server has no metric %s with %s", name, label)
}
