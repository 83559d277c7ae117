//go:build linux

package drift_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairwayhq/fairway/internal/drift"
	"github.com/fairwayhq/fairway/test/cluster"
)

var update = flag.Bool("update", false, "write down what the real API server makes of the objects")

// where the API server keeps the objects, in the order of testdata/desired.yaml.
var paths = []string{
	"/apis/apps/v1/namespaces/default/deployments/shop",
	"/api/v1/namespaces/default/services/shop",
	"/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers/shop",
	"/api/v1/namespaces/default/configmaps/shop",
	"/api/v1/namespaces/default/secrets/shop",
	"/apis/policy/v1/namespaces/default/poddisruptionbudgets/shop",
	"/apis/networking.k8s.io/v1/namespaces/default/networkpolicies/shop",
	"/apis/gateway.networking.k8s.io/v1/namespaces/default/httproutes/shop",
}

func TestARealAPIServerDoesNotDrift(t *testing.T) {
	c := cluster.Start(t, cluster.Options{Gateway: true})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := c.API.Apply(ctx, desiredText(t)); err != nil {
		t.Fatal(err)
	}
	desired := desiredObjects(t)
	read := func() []drift.Object {
		live := make([]drift.Object, len(paths))
		for i, path := range paths {
			if err := c.API.Get(ctx, path, &live[i]); err != nil {
				t.Fatal(err)
			}
		}
		return live
	}
	live := read()
	if *update {
		raw, err := json.MarshalIndent(live, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile("testdata/live.json", append(raw, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	options := drift.Options{Namespace: "default", Extra: true}
	if got := drift.Compare(desired, live, options); len(got) > 0 {
		t.Fatalf("untouched objects drift:\n%s", drift.Text(got, "desired", "live"))
	}

	const patch = `{"spec": {"template": {"spec": {"containers": [{"name": "app", "image": "registry.example.com/shop:v9", "env": [{"name": "ADDED", "value": "x"}]}]}}}}`
	if err := c.API.Do(ctx, http.MethodPatch, paths[0], "application/strategic-merge-patch+json", []byte(patch), nil); err != nil {
		t.Fatal(err)
	}
	got := drift.Compare(desired, read(), options)
	want := []drift.Difference{{
		Object: drift.Identity{Group: "apps", Kind: "Deployment", Namespace: "default", Name: "shop"}, What: drift.Changed,
		Path: "spec.template.spec.containers[app].image", Desired: "registry.example.com/shop:v1", Live: "registry.example.com/shop:v9",
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("after an edit by hand (-want +got):\n%s", diff)
	}

	// An autoscaler that scales is no drift, where it is known.
	scale := bytes.NewBufferString(`{"spec": {"replicas": 7}}`)
	if err := c.API.Do(ctx, http.MethodPatch, paths[0], "application/merge-patch+json", scale.Bytes(), nil); err != nil {
		t.Fatal(err)
	}
	options.Ignore = drift.Autoscaled(desired)
	if diff := cmp.Diff(want, drift.Compare(desired, read(), options)); diff != "" {
		t.Errorf("after it was scaled (-want +got):\n%s", diff)
	}
}
