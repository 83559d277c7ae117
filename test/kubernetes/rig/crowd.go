package rig

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/goccy/go-yaml"
	"golang.org/x/sync/errgroup"

	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/test/cluster"
)

// Crowd is many small services in one namespace, each with a Deployment, a Service and a
// definition of its own. Their pods are on the cluster's hollow node.
type Crowd struct {
	rig       *Rig
	namespace string
	names     []string
}

// OpenCrowd applies what the services have, and waits until all are ready. Their objects are
// as big as such objects are in life.
func (r *Rig) OpenCrowd(ctx context.Context, namespace string, services int) (*Crowd, error) {
	c := &Crowd{rig: r, namespace: namespace}
	if err := r.Cluster.API.Apply(ctx, "apiVersion: v1\nkind: Namespace\nmetadata: {name: "+namespace+"}"); err != nil {
		return nil, err
	}
	for i := range services {
		c.names = append(c.names, fmt.Sprintf("neighbour-%03d", i))
	}
	const atOnce = 8
	err := c.each(ctx, atOnce, func(ctx context.Context, name string) error {
		return r.Cluster.API.Apply(ctx, neighbourDeployment(namespace, name, "v1")+"---\n"+neighbourService(namespace, name))
	})
	if err != nil {
		return nil, err
	}
	return c, until(ctx, 5*time.Minute, "all neighbours are ready", func() error { return c.allReady(ctx) })
}

func (c *Crowd) allReady(ctx context.Context) error {
	var list struct {
		Items []struct{ Status struct{ ReadyReplicas int } }
	}
	if err := c.rig.Cluster.API.Get(ctx, "/apis/apps/v1/namespaces/"+c.namespace+"/deployments", &list); err != nil {
		return err
	}
	ready := 0
	for _, d := range list.Items {
		ready += d.Status.ReadyReplicas
	}
	if ready < len(c.names) {
		return fmt.Errorf("%d of %d are", ready, len(c.names))
	}
	return nil
}

// Ship releases another version of each service, so many at the same time, and waits until
// each is at home.
func (c *Crowd) Ship(ctx context.Context, atOnce int) error {
	return c.each(ctx, atOnce, func(ctx context.Context, name string) error {
		made, err := c.release(name)
		if err != nil {
			return err
		}
		shipped, err := c.rig.API.Create(ctx, made, "")
		if err != nil {
			return fmt.Errorf("ship %s: %w", name, err)
		}
		end := shipped
		err = c.rig.API.Live(ctx, shipped.ID, "", client.Listener{Release: func(d client.ReleaseDetail) error {
			end = d
			if d.State.Final() {
				return client.ErrStop
			}
			return nil
		}})
		if err == nil && end.State != pipeline.RunSucceeded {
			err = fmt.Errorf("it is %s: %s", end.State, end.Headline)
		}
		if err != nil {
			return fmt.Errorf("release %s: %w", name, err)
		}
		return nil
	})
}

// release is what a service's pipeline asks for, with the manifests rendered.
func (c *Crowd) release(name string) (client.NewRelease, error) {
	var objects []json.RawMessage
	for _, text := range []string{neighbourDeployment(c.namespace, name, "v2"), neighbourService(c.namespace, name)} {
		object, err := yaml.YAMLToJSON([]byte(text))
		if err != nil {
			return client.NewRelease{}, err
		}
		objects = append(objects, object)
	}
	return client.NewRelease{
		Definition: neighbourDefinition(c.namespace, name), Version: "v2",
		Artifact: "fairway.test/" + name + ":v2", Digest: fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(name))),
		Manifests: map[string][]json.RawMessage{"production": objects},
	}, nil
}

// Change does what a person does who turns a service's logs up past all releases.
func (c *Crowd) Change(ctx context.Context, service int) (name string, err error) {
	name = c.names[service]
	body := []byte(`{"spec": {"template": {"spec": {"containers": [{"name": "app", "env": [{"name": "LOG_LEVEL", "value": "debug"}]}]}}}}`)
	path := "/apis/apps/v1/namespaces/" + c.namespace + "/deployments/" + name + "?fieldManager=person"
	return name, c.rig.Cluster.API.Do(ctx, "PATCH", path, "application/strategic-merge-patch+json", body, nil)
}

// Drifts is what the server has last seen of each service's drift. A service at which it
// has not looked is left out.
func (c *Crowd) Drifts(ctx context.Context) (map[string]client.Drift, error) {
	page, err := c.rig.API.Services(ctx)
	if err != nil {
		return nil, err
	}
	all := map[string]client.Drift{}
	for _, s := range page.Items {
		if !slices.Contains(c.names, s.Name) {
			continue
		}
		for _, e := range s.Environments {
			if e.Drift != nil {
				all[s.Name] = *e.Drift
			}
		}
	}
	return all, nil
}

func (c *Crowd) each(ctx context.Context, atOnce int, do func(ctx context.Context, name string) error) error {
	all, working := errgroup.WithContext(ctx)
	all.SetLimit(atOnce)
	for _, name := range c.names {
		all.Go(func() error {
			if err := working.Err(); err != nil {
				return err
			}
			return do(working, name)
		})
	}
	return all.Wait()
}

func neighbourDefinition(namespace, name string) string {
	return fmt.Sprintf(`
service: %[2]s
environments:
  - name: production
    platform: kubernetes
    kubernetes: {namespace: %[1]s, split: pods, drain: 1s, manifests: deploy}
    stages:
      - deploy
`, namespace, name)
}

func neighbourDeployment(namespace, name, tag string) string {
	return fmt.Sprintf(`
apiVersion: apps/v1
kind: Deployment
metadata:
  name: %[2]s
  namespace: %[1]s
  labels: {app.kubernetes.io/name: %[2]s, app.kubernetes.io/part-of: crowd, app.kubernetes.io/managed-by: nobody}
  annotations: {example.com/owner: team-%[2]s, example.com/runbook: "https://runbooks.example.com/%[2]s"}
spec:
  replicas: 1
  selector: {matchLabels: {app: %[2]s}}
  template:
    metadata: {labels: {app: %[2]s}}
    spec:
      %[4]s
      %[5]s
      containers:
      - name: app
        image: fairway.test/%[2]s:%[3]s
        env:
        - {name: LOG_LEVEL, value: info}
        - {name: DATABASE_URL, value: "postgres://db.example.com:5432/%[2]s"}
        - name: POD_NAME
          valueFrom: {fieldRef: {fieldPath: metadata.name}}
        ports: [{name: http, containerPort: 8080}]
        readinessProbe: {httpGet: {path: /healthz, port: http}, periodSeconds: 5}
        livenessProbe: {httpGet: {path: /healthz, port: http}, periodSeconds: 10}
        resources: {requests: {cpu: 10m, memory: 16Mi}, limits: {memory: 64Mi}}
`, namespace, name, tag, cluster.HollowSelector, cluster.HollowToleration)
}

func neighbourService(namespace, name string) string {
	return fmt.Sprintf(`
apiVersion: v1
kind: Service
metadata: {name: %[2]s, namespace: %[1]s}
spec: {selector: {app: %[2]s}, ports: [{name: http, port: 80, targetPort: http}]}
`, namespace, name)
}
