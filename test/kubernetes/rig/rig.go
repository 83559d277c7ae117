// Package rig is the world in which Fairway is tried on a real Kubernetes: a cluster with
// a gateway and a Prometheus, a server and a worker as processes of their own, and teams
// with their Deployment, Service and HTTPRoute, whose users send requests all the time.
//
//	r, err := rig.Up(ctx, rig.Options{Fairway: "bin/fairway", Versions: []rig.Version{rig.V1, rig.V2}, Say: log.Printf})
//	defer r.Close()
//	team, err := r.Open(ctx, rig.TeamOptions{Name: "shop", First: rig.V1})
//	release, err := team.Ship(ctx, rig.V2)
//	end, err := release.End(ctx)
//	answers := team.Traffic.Since(release.Shipped)
//
// It records and does not judge: what is promised, and whether it was kept, is up to the
// benchmarks and tests that use it.
package rig

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/test/cluster"
	"github.com/fairwayhq/fairway/test/program"
)

// User is who the worker is to the API server.
const User = "fairway-worker"

// Options say what the world is made of.
type Options struct {
	// Fairway is the binary to try. Without one there are no server and no worker, and
	// nothing can be shipped.
	Fairway string
	// Versions are the ones of the shop that can be shipped.
	Versions []Version
	// Scrape is the time between two scrapes of Prometheus; 2 s when 0.
	Scrape time.Duration
	// Server are more flags of the server.
	Server []string
	// Say hears of each step.
	Say func(format string, args ...any)
}

// Rig is such a world.
type Rig struct {
	Cluster    *cluster.Cluster
	Prometheus *cluster.Prometheus
	// Server and Worker are nil where there is no binary to try.
	Server, Worker *program.Program
	// API is an administrator's client of the server.
	API *client.Client

	options Options
	dir     string
	url     string // the server's
	teams   []*Team
}

// Up brings it up: in half a minute where everything is built. It returns
// cluster.ErrUnable, with the reason, where the machine cannot.
func Up(ctx context.Context, o Options) (*Rig, error) {
	if err := cluster.Prepare(ctx, clusterOptions, o.Say); err != nil {
		return nil, err
	}
	r := &Rig{options: o}
	if err := r.up(ctx); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

var clusterOptions = cluster.Options{Node: true, Gateway: true}

func (r *Rig) up(ctx context.Context) (err error) {
	if r.dir, err = os.MkdirTemp("", "fairway-rig-"); err != nil {
		return err
	}
	if r.Cluster, err = cluster.Up(ctx, clusterOptions, r.options.Say); err != nil {
		return err
	}
	if r.Prometheus, err = r.Cluster.StartPrometheus(ctx, cluster.PrometheusOptions{Interval: r.options.Scrape}); err != nil {
		return err
	}
	for _, v := range r.options.Versions {
		if err := r.Cluster.Load(ctx, v.image()); err != nil {
			return err
		}
	}
	r.options.Say("%d versions of the shop are loaded", len(r.options.Versions))
	if r.options.Fairway == "" {
		return nil
	}
	return r.startFairway(ctx)
}

// Close ends the users, the processes and the cluster, and removes what they wrote.
func (r *Rig) Close() error {
	for _, t := range r.teams {
		t.close()
	}
	for _, p := range []*program.Program{r.Worker, r.Server} {
		if p != nil {
			p.Kill()
		}
	}
	var err error
	if r.Cluster != nil {
		err = r.Cluster.Close()
	}
	return errors.Join(err, os.RemoveAll(r.dir))
}

// Logs are the ends of what the processes said, for when something went wrong.
func (r *Rig) Logs() string {
	var all string
	for _, p := range []*program.Program{r.Worker, r.Server} {
		if p != nil {
			all += fmt.Sprintf("--- %s\n%s\n", p.Name, p.Tail(50))
		}
	}
	return all
}

func (r *Rig) path(name string) string { return filepath.Join(r.dir, name) }
