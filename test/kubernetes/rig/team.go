package rig

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"strings"
	"text/template"
	"time"

	"github.com/fairwayhq/fairway/internal/process"
)

// TeamOptions say what a team has.
type TeamOptions struct {
	// Name is the service's and the namespace's.
	Name string
	// First is the version that runs before Fairway comes.
	First Version
	// Rate is in requests per second; 100 when 0.
	Rate float64
	// Bears is how many requests per second one pod can answer; 0 means any number.
	Bears float64
	// Autoscaled adds a HorizontalPodAutoscaler.
	Autoscaled bool
}

// Team is a namespace with a service, and its users.
type Team struct {
	Name string
	// Manifests are those that it has applied.
	Manifests string
	// Traffic is what users got, from when the service first answered.
	Traffic *Traffic
	// Route is how the gateway's weights were, from the same time.
	Route *Route

	rig     *Rig
	options TeamOptions
}

//go:embed team.yaml
var manifests string

//go:embed fairway.yaml
var definition string

const replicas = 3

// Open applies what a team has, waits until it is served, and lets the users come.
func (r *Rig) Open(ctx context.Context, o TeamOptions) (*Team, error) {
	if o.Rate == 0 {
		o.Rate = 100
	}
	t := &Team{Name: o.Name, rig: r, options: o}
	text, err := fill(manifests, map[string]any{
		"Name": o.Name, "Image": r.Cluster.Reference(o.First.Image()), "Bears": o.Bears,
		"Replicas": replicas, "Most": 2 * replicas, "Autoscaled": o.Autoscaled,
	})
	if err != nil {
		return nil, err
	}
	if err := r.Cluster.API.Apply(ctx, text); err != nil {
		return nil, err
	}
	t.Manifests = text
	definition, err := fill(definition, map[string]any{"Name": o.Name, "Rate": o.Rate, "Prometheus": r.Prometheus.URL})
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(t.Definition(), []byte(definition), 0o600); err != nil {
		return nil, err
	}
	if err := t.awaitServed(ctx); err != nil {
		return nil, err
	}
	if t.Traffic, err = startTraffic(r.Cluster.GatewayURL, t.host(), o.Rate); err != nil {
		return nil, err
	}
	t.Route = watchRoute(r.Cluster.API, o.Name)
	r.teams = append(r.teams, t)
	return t, nil
}

// Pods is how many pods of a Deployment of the team are ready.
func (t *Team) Pods(ctx context.Context, deployment string) (int, error) {
	var d struct{ Status struct{ ReadyReplicas int } }
	err := t.rig.Cluster.API.Get(ctx, t.apps("deployments/"+deployment), &d)
	return d.Status.ReadyReplicas, err
}

// Home is the team's own Deployment.
type Home struct {
	Generation int64
	Image      string
}

// Home reads it.
func (t *Team) Home(ctx context.Context) (Home, error) {
	var d struct {
		Metadata struct{ Generation int64 }
		Spec     struct {
			Template struct {
				Spec struct{ Containers []struct{ Image string } }
			}
		}
	}
	if err := t.rig.Cluster.API.Get(ctx, t.apps("deployments/shop"), &d); err != nil {
		return Home{}, err
	}
	return Home{d.Metadata.Generation, d.Spec.Template.Spec.Containers[0].Image}, nil
}

// Deployments are the names of all that the team's namespace has.
func (t *Team) Deployments(ctx context.Context) (names []string, err error) {
	var list struct {
		Items []struct{ Metadata struct{ Name string } }
	}
	err = t.rig.Cluster.API.Get(ctx, t.apps("deployments"), &list)
	for _, d := range list.Items {
		names = append(names, d.Metadata.Name)
	}
	return names, err
}

// Scale does what a person does who changes the number of the home's pods.
func (t *Team) Scale(ctx context.Context, replicas int) error {
	body := fmt.Appendf(nil, `{"spec": {"replicas": %d}}`, replicas)
	return t.rig.Cluster.API.Do(ctx, "PATCH", t.apps("deployments/shop/scale")+"?fieldManager=person", "application/merge-patch+json", body, nil)
}

// Definition is the file that is shipped with; a team may write it anew.
func (t *Team) Definition() string { return t.rig.path(t.Name + ".yaml") }

func (t *Team) host() string { return t.Name + ".test" }

func (t *Team) apps(path string) string { return "/apis/apps/v1/namespaces/" + t.Name + "/" + path }

// awaitServed waits until all pods are ready and the gateway leads to them, some times
// in a row: it takes up what it hears piece by piece.
func (t *Team) awaitServed(ctx context.Context) error {
	const enough = 20
	return until(ctx, time.Minute, t.Name+" is served", func() error {
		if pods, err := t.Pods(ctx, "shop"); err != nil || pods != replicas {
			return fmt.Errorf("%d pods are ready: %w", pods, err)
		}
		for range enough {
			if err := asked(ctx, t.rig.Cluster.GatewayURL+"/healthz", t.host()); err != nil {
				return err
			}
		}
		return nil
	})
}

func (t *Team) close() {
	t.Traffic.stop()
	t.Route.stop()
}

func fill(text string, values map[string]any) (string, error) {
	parsed, err := template.New("").Parse(text)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	err = parsed.Execute(&out, values)
	return out.String(), err
}

// until tries something until it succeeds, but not for longer than a limit.
func until(ctx context.Context, limit time.Duration, what string, try func() error) error {
	const pause = 100 * time.Millisecond
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var last error
	for {
		err := try()
		if err == nil {
			return nil
		}
		// The end of the waiting is not what was wrong all the time.
		if ctx.Err() == nil {
			last = err
		}
		if process.Wait(ctx, pause) != nil {
			return fmt.Errorf("wait until %s: %w: %w", what, ctx.Err(), last)
		}
	}
}
