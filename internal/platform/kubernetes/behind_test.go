package kubernetes

import (
	"encoding/json"
	"testing"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/fairwayhq/fairway/internal/platform"
)

// homeWith is a Deployment as the API server has it, filled in.
func homeWith(t *testing.T, image, env, resources string) *appsv1.Deployment {
	t.Helper()
	var d appsv1.Deployment
	text := `{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "shop", "namespace": "shop"}, "spec": {"replicas": 3,
		"selector": {"matchLabels": {"app": "shop"}}, "template": {"metadata": {"labels": {"app": "shop"}}, "spec": {
			"restartPolicy": "Always", "terminationGracePeriodSeconds": 30,
			"containers": [{"name": "shop", "image": "` + image + `", "env": [` + env + `], "resources": {` + resources + `}, "imagePullPolicy": "IfNotPresent"}]}}}}`
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		t.Fatal(err)
	}
	return &d
}

func TestAHomeIsUpdatedOnlyWhenItsPodsAreAsTheManifestsSay(t *testing.T) {
	manifest := json.RawMessage(`{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "shop"}, "spec": {
		"selector": {"matchLabels": {"app": "shop"}}, "template": {"metadata": {"labels": {"app": "shop"}}, "spec": {
			"containers": [{"name": "shop", "image": "shop:v1", "env": [{"name": "MODE", "value": "new"}]}]}}}}`)
	for name, c := range map[string]struct {
		objects []json.RawMessage
		config  map[string]string
		env     string
		want    string
	}{
		"as released":                    {[]json.RawMessage{manifest}, nil, `{"name": "MODE", "value": "new"}`, ""},
		"with the old config":            {[]json.RawMessage{manifest}, nil, `{"name": "MODE", "value": "old"}`, "spec.template.spec.containers[shop].env[MODE].value"},
		"without manifests":              {nil, nil, `{"name": "MODE", "value": "old"}`, ""},
		"with a variable of the release": {[]json.RawMessage{manifest}, map[string]string{"MODE": "released", "OTHER": "1"}, `{"name": "MODE", "value": "old"}`, ""},
	} {
		set := Settings{Namespace: "shop", Deployment: "shop", Service: "shop", Objects: c.objects}
		text, err := json.Marshal(set)
		if err != nil {
			t.Fatal(err)
		}
		r := platform.Revision{ID: "r-1", Artifact: platform.Artifact{Ref: "shop:v2"}, Config: platform.Config{Env: c.config}, Settings: text}
		p := &Platform{settings: set}
		got, err := p.behind(r, homeWith(t, "shop:v2", c.env, `"limits": {"memory": "1Gi"}`), "shop:v2")
		if err != nil || got != c.want {
			t.Errorf("%s: behind in %q, not in %q: %v", name, got, c.want, err)
		}
	}
}
