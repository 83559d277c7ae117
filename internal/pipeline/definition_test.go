package pipeline_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/fairwayhq/fairway/internal/pipeline"
)

const digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// parse reads a definition that must have no faults.
func parse(t *testing.T, text string) *pipeline.Definition {
	t.Helper()
	def, faults := pipeline.Parse("fairway.yaml", []byte(text))
	if len(faults) > 0 {
		t.Fatalf("the definition has faults:\n%v", faults)
	}
	return def
}

func example(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile("../../examples/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestExamplesParseAndCompile(t *testing.T) {
	for _, name := range []string{"host.yaml", "kubernetes.yaml", "full.yaml", "metrics.yaml", "regions.yaml"} {
		t.Run(name, func(t *testing.T) {
			def := parse(t, example(t, name))
			in := pipeline.Request{Version: "v2", Artifact: "./shop", Digest: digest, Files: map[string][]byte{}}
			for _, f := range def.Files() {
				in.Files[f] = []byte("# " + f)
			}
			plan, err := pipeline.Compile(def, in)
			if err != nil {
				t.Fatal(err)
			}
			environments := map[string]bool{}
			for _, e := range plan.Environments {
				environments[e.In()] = true
			}
			if len(environments) != len(def.Environments) {
				t.Errorf("the plan has %d environments, want %d", len(environments), len(def.Environments))
			}
		})
	}
}

func TestTheMinimalExamplesStayShort(t *testing.T) {
	for _, name := range []string{"host.yaml", "kubernetes.yaml"} {
		if n := strings.Count(example(t, name), "\n"); n > 20 {
			t.Errorf("examples/%s has %d lines, at most 20 are promised", name, n)
		}
	}
}

func TestTheGuideToKubernetesShowsTheExample(t *testing.T) {
	guide, err := os.ReadFile("../../docs/kubernetes.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(guide), "```yaml\n"+example(t, "kubernetes.yaml")+"```\n") {
		t.Error("docs/kubernetes.md does not show examples/kubernetes.yaml as it is")
	}
}

// What is measured on a real cluster is measured at the guide's settings: it would be the same
// plan, but that the rig's Prometheus scrapes more often.
func TestTheMeasuredSettingsAreTheGuides(t *testing.T) {
	measured, err := os.ReadFile("../../test/kubernetes/rig/fairway.yaml")
	if err != nil {
		t.Fatal(err)
	}
	compiled := func(text string) string {
		plan, err := pipeline.Compile(parse(t, text), pipeline.Request{Version: "v2", Artifact: "shop", Digest: digest})
		if err != nil {
			t.Fatal(err)
		}
		all, err := json.MarshalIndent(plan, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		return string(all)
	}
	filled := strings.NewReplacer(
		"{{.Name}}", "shop", "{{.Rate}}", "100", "{{.Prometheus}}", "http://prometheus.monitoring:9090", "interval: 2s", "interval: 5s",
	).Replace(string(measured))
	if guide, rig := compiled(example(t, "kubernetes.yaml")), compiled(filled); guide != rig {
		t.Errorf("the guide's plan is\n%s\nand what is measured\n%s", guide, rig)
	}
}
