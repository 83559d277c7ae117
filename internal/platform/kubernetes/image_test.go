package kubernetes

import (
	"encoding/json"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/platform"
)

func TestPodsWithoutContainersAreRefused(t *testing.T) {
	for _, name := range []string{"", "shop"} {
		for _, ref := range []string{"", "shop:v2"} {
			_, err := chosen(corev1.PodSpec{}, name, platform.Artifact{Ref: ref})
			if fault.CodeOf(err) != fault.Invalid || fault.HintOf(err) == "" {
				t.Errorf("of no containers, with the name %q and the image %q, is chosen: %v", name, ref, err)
			}
		}
	}
}

// A repository may say what no API server would take.
func TestADeploymentOfARepositoryWithoutContainersIsCompared(t *testing.T) {
	manifest := json.RawMessage(`{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "shop"}, "spec": {
		"selector": {"matchLabels": {"app": "shop"}}, "template": {"metadata": {"labels": {"app": "shop"}}, "spec": {"containers": []}}}}`)
	set := Settings{Namespace: "shop", Deployment: "shop", Service: "shop", Objects: []json.RawMessage{manifest}}
	text, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	p := &Platform{settings: set}
	_, _, err = p.desired(platform.Target{}, platform.Revision{Settings: text}, homeWith(t, "shop:v1", "", ""))
	if fault.CodeOf(err) != fault.Invalid {
		t.Errorf("what is desired of it: %v", err)
	}
}
