package pipeline_test

import (
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
	for _, name := range []string{"host.yaml", "full.yaml", "metrics.yaml"} {
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
			if len(plan.Environments) != len(def.Environments) {
				t.Errorf("the plan has %d environments, want %d", len(plan.Environments), len(def.Environments))
			}
		})
	}
}

func TestTheMinimalExampleStaysShort(t *testing.T) {
	if n := strings.Count(example(t, "host.yaml"), "\n"); n > 20 {
		t.Errorf("examples/host.yaml has %d lines, at most 20 are promised", n)
	}
}
