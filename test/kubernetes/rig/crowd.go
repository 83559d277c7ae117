package rig

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/fairwayhq/fairway/test/cluster"
)

// Crowd adds Deployments to a namespace, with a pod each on the cluster's hollow node,
// and waits until all are ready. They are as big as such objects are in life.
func (r *Rig) Crowd(ctx context.Context, namespace string, deployments int) error {
	api := r.Cluster.API
	if err := api.Apply(ctx, "apiVersion: v1\nkind: Namespace\nmetadata: {name: "+namespace+"}"); err != nil {
		return err
	}
	all, working := errgroup.WithContext(ctx)
	all.SetLimit(8)
	for i := range deployments {
		all.Go(func() error { return api.Apply(working, neighbour(namespace, fmt.Sprintf("neighbour-%03d", i))) })
	}
	if err := all.Wait(); err != nil {
		return err
	}
	var list struct {
		Items []struct{ Status struct{ ReadyReplicas int } }
	}
	return until(ctx, 5*time.Minute, "all neighbours are ready", func() error {
		if err := api.Get(ctx, "/apis/apps/v1/namespaces/"+namespace+"/deployments", &list); err != nil {
			return err
		}
		ready := 0
		for _, d := range list.Items {
			ready += d.Status.ReadyReplicas
		}
		if ready < deployments {
			return fmt.Errorf("%d of %d are", ready, deployments)
		}
		return nil
	})
}

func neighbour(namespace, name string) string {
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
      %[3]s
      %[4]s
      containers:
      - name: app
        image: fairway.test/%[2]s:v1
        env:
        - {name: LOG_LEVEL, value: info}
        - {name: DATABASE_URL, value: "postgres://db.example.com:5432/%[2]s"}
        - name: POD_NAME
          valueFrom: {fieldRef: {fieldPath: metadata.name}}
        ports: [{name: http, containerPort: 8080}]
        readinessProbe: {httpGet: {path: /healthz, port: http}, periodSeconds: 5}
        livenessProbe: {httpGet: {path: /healthz, port: http}, periodSeconds: 10}
        resources: {requests: {cpu: 10m, memory: 16Mi}, limits: {memory: 64Mi}}
---
apiVersion: v1
kind: Service
metadata: {name: %[2]s, namespace: %[1]s}
spec: {selector: {app: %[2]s}, ports: [{name: http, port: 80, targetPort: http}]}
`, namespace, name, cluster.HollowSelector, cluster.HollowToleration)
}
