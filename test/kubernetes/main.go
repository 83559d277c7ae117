// Command kubernetes tries on a real Kubernetes, under real requests, what Fairway promises
// for days on which more happens than a release. Run it from the repository's root, as root
// on Linux:
//
//	go run ./test/kubernetes -fairway bin/fairway
//	go run ./test/kubernetes -only outage,kills
//
// Its part failed releases good versions and rolls back after promotions, and counts
// requests that fail; outage takes Prometheus away in mid-canary; kills kills the worker
// and the API server at each step of a release; capacity rolls back after a person has
// shrunk stable.
//
// It prints what it saw and, as its last line, the bars as JSON. The exit code is 1 when a
// part could not be carried out, not when a bar is missed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/bar"
	"github.com/fairwayhq/fairway/test/kubernetes/rig"
)

type options struct {
	fairway, only string
	requests      int
}

func main() {
	var o options
	flag.StringVar(&o.fairway, "fairway", "bin/fairway", "the binary to try")
	flag.StringVar(&o.only, "only", "", "try these parts, with commas between: failed, outage, kills, capacity")
	flag.IntVar(&o.requests, "requests", 50_000, "failed: how many requests at least")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	part := func(try func(context.Context, *rig.Rig, options) ([]bar.Bar, error)) func(context.Context) ([]bar.Bar, error) {
		return func(ctx context.Context) ([]bar.Bar, error) { return runPart(ctx, o, try) }
	}
	parts := []bar.Part{
		{Name: "failed", Measure: part(tryFailed)}, {Name: "outage", Measure: part(tryOutage)},
		{Name: "kills", Measure: part(tryKills)}, {Name: "capacity", Measure: part(tryCapacity)},
	}
	if err := bar.Measure(ctx, os.Stdout, parts, o.only); err != nil {
		fmt.Fprintln(os.Stderr, "kubernetes:", err)
		os.Exit(1)
	}
}

// runPart gives each part a world of its own.
func runPart(ctx context.Context, o options, try func(context.Context, *rig.Rig, options) ([]bar.Bar, error)) (bars []bar.Bar, err error) {
	r, err := rig.Up(ctx, rig.Options{
		Fairway:  o.fairway,
		Versions: []rig.Version{rig.Calm1, rig.Calm2, rig.V1, rig.V2, rig.Fails10, rig.Fails2},
		Say:      func(format string, args ...any) { fmt.Printf(format+"\n", args...) },
	})
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			fmt.Fprintln(os.Stderr, r.Logs())
		}
		err = errors.Join(err, r.Close())
	}()
	return try(ctx, r, o)
}

const (
	// settled is how long a service has run before its first release: longer than the
	// warm-up.
	settled = 45 * time.Second
	// most is how long a release may take.
	most = 12 * time.Minute
)

// open is a team whose service has run for a while.
func open(ctx context.Context, r *rig.Rig, o rig.TeamOptions) (*rig.Team, error) {
	team, err := r.Open(ctx, o)
	if err != nil {
		return nil, err
	}
	return team, pause(ctx, settled)
}

// end waits for a release's end.
func end(ctx context.Context, release *rig.Release) (client.ReleaseDetail, error) {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	d, err := release.End(ctx)
	if err == nil {
		fmt.Printf("%s %s after %.0f s: %s\n", d.Version, d.State, d.EndedAt.Sub(d.CreatedAt).Seconds(), d.Headline)
	}
	return d, err
}

// tellWrong prints what was newly seen of the route that can never be right, and counts it.
func tellWrong(team *rig.Team) int {
	wrong := team.Route.TakeWrong()
	for _, w := range wrong {
		fmt.Printf("WRONG: %s\n", w)
	}
	return len(wrong)
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
