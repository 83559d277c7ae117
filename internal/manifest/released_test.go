package manifest_test

import (
	"testing"

	"github.com/fairwayhq/fairway/internal/manifest"
)

func TestAReleaseHasItsDeploymentAndWhatBelongsToIt(t *testing.T) {
	for _, c := range []struct {
		apiVersion, kind, name string
		want                   bool
	}{
		{"apps/v1", "Deployment", "shop", true},
		{"apps/v1", "Deployment", "mail", false},
		{"v1", "ConfigMap", "shop", true},
		{"v1", "Secret", "shop", true},
		{"autoscaling/v2", "HorizontalPodAutoscaler", "shop", true},
		{"serving.knative.dev/v1", "Service", "shop", false},
		{"gateway.networking.k8s.io/v1", "HTTPRoute", "shop", false},
		{"batch/v1", "CronJob", "nightly", false},
	} {
		o := manifest.Object{APIVersion: c.apiVersion, Kind: c.kind, Name: c.name}
		if got := o.Released("shop"); got != c.want {
			t.Errorf("%s of %s is released: %t", o, o.APIVersion, got)
		}
	}
}
