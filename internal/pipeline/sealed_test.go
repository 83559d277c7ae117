package pipeline_test

import (
	"encoding/json"
	"testing"

	"github.com/fairwayhq/fairway/internal/pipeline"
)

func TestSealedAgainItIsTheSameRevisionOfTheSamePlan(t *testing.T) {
	def := parse(t, "service: shop\nkubernetes: {manifests: deploy}\nmetrics: {prometheus: {url: 'http://prometheus', preset: traefik}}\nenvironments: [{name: production, platform: kubernetes}]\n")
	compiled := func(object, sealed string) *pipeline.Plan {
		t.Helper()
		plan, err := pipeline.Compile(def, pipeline.Request{
			Artifact: "shop", Digest: digest,
			Manifests: map[string][]json.RawMessage{"production": {json.RawMessage(object)}}, Sealed: map[string]string{"production": sealed},
		})
		if err != nil {
			t.Fatal(err)
		}
		return plan
	}
	once, again, other := compiled(`{"a": 1}`, "box"), compiled(`{"a": 1}`, "another box"), compiled(`{"a": 2}`, "box")
	if got := again.Environments[0].Sealed; got != "another box" {
		t.Errorf("what is sealed is %q in the plan", got)
	}
	if a, b := once.Revision(&once.Environments[0]), again.Revision(&again.Environments[0]); a != b || !once.Same(again) {
		t.Errorf("sealed again it is revision %s, not %s, or another plan", b, a)
	}
	if a, b := once.Revision(&once.Environments[0]), other.Revision(&other.Environments[0]); a == b || once.Same(other) {
		t.Errorf("another object is the same revision %s or the same plan", b)
	}
	if once.Environments[0].Sealed != "box" || once.Hash() == again.Hash() {
		t.Error("what is sealed does not count for the hash, or is taken away")
	}
}
