package app

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/platform"
)

func TestTheTruthIsRenderedFromTheRepository(t *testing.T) {
	remote := t.TempDir()
	files := map[string]string{
		"base/app.yaml":                     "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: shop}\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: shop}\nstringData: {a: b}\n",
		"base/kustomization.yaml":           "resources: [app.yaml]\n",
		"production/kustomization.yaml":     "resources: [../base]\nlabels: [{pairs: {at: production}}]\n",
		"elsewhere/with some space/not.txt": "not YAML",
	}
	for name, content := range files {
		if err := os.MkdirAll(filepath.Join(remote, filepath.Dir(name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(remote, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{
		{"init", "-q", "-b", "main"}, {"add", "."},
		{"-c", "user.name=ann", "-c", "user.email=ann@example.com", "commit", "-q", "-m", "All of it"},
	} {
		cmd := exec.Command("git", args...)
		cmd.Dir = remote
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	where := pipeline.Git{Repository: remote, Branch: "main", Path: "production", Image: "shop"}
	target := platform.Target{Service: "shop", Environment: "production"}
	objects, err := newTruth(t.TempDir()).Objects(t.Context(), where, target, "shop")
	if err != nil {
		t.Fatal(err)
	}
	if len(objects) != 1 || !strings.Contains(string(objects[0]), `"at":"production"`) || !strings.Contains(string(objects[0]), "Deployment") {
		t.Errorf("it says %s", objects)
	}
	where.Key = "image.tag"
	if _, err := newTruth(t.TempDir()).Objects(t.Context(), where, target, "shop"); fault.CodeOf(err) != fault.Invalid || fault.HintOf(err) == "" {
		t.Errorf("a chart's values are rendered: %v", err)
	}
}
