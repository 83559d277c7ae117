package app

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/stage"
)

// deployed is a bare repository whose branch main has a Deployment of shop v1.
func deployed(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("there is no git on this machine")
	}
	t.Setenv("GIT_CONFIG_GLOBAL", os.DevNull)
	bare, work := filepath.Join(t.TempDir(), "deploy.git"), t.TempDir()
	gitIn(t, work, "init", "-q", "-b", "main")
	manifest := "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: shop}\nspec:\n  template:\n    spec:\n      containers:\n      - name: app\n        image: registry.example.com/shop:v1 # the shop\n"
	if err := os.MkdirAll(filepath.Join(work, "apps", "shop"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(work, "apps", "shop", "shop.yaml"), []byte(manifest), 0o600); err != nil {
		t.Fatal(err)
	}
	gitIn(t, work, "add", ".")
	gitIn(t, work, "-c", "user.name=A", "-c", "user.email=a@example.com", "commit", "-qm", "Deploy")
	gitIn(t, work, "clone", "-q", "--bare", ".", bare)
	return bare
}

func gitIn(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %v: %s", args, err, out)
	}
	return string(out)
}

func TestARealRepositoryIsToldOfAReleaseAndItsRollback(t *testing.T) {
	bare := deployed(t)
	worker := newTruth(t.TempDir())
	where := pipeline.Git{Repository: bare, Branch: "main", Path: "apps/shop", Deployment: "shop", Container: "app"}
	image := func(c string) string { return "registry.example.com/shop:v" + c + "@sha256:" + strings.Repeat(c, 64) }
	change := stage.TruthChange{Release: "01J", Service: "shop", Environment: "production", Image: image("2")}
	for range 2 { // again, as after a kill
		told, err := worker.Tell(t.Context(), where, change)
		if err != nil || !told.Done || told.Where != strings.TrimSpace(gitIn(t, bare, "rev-parse", "main")) {
			t.Fatalf("%+v, %v", told, err)
		}
	}
	if text := gitIn(t, bare, "show", "main:apps/shop/shop.yaml"); !strings.Contains(text, image("2")+" # the shop") {
		t.Errorf("it says\n%s", text)
	}
	if n := gitIn(t, bare, "rev-list", "--count", "main"); strings.TrimSpace(n) != "2" {
		t.Errorf("there are %s commits, not 2", n)
	}
	// Somebody changes it, and the worker asks again, as after a kill.
	work := t.TempDir()
	gitIn(t, work, "clone", "-q", bare, ".")
	manifest := filepath.Join(work, "apps", "shop", "shop.yaml")
	text, err := os.ReadFile(manifest)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(manifest, []byte(strings.ReplaceAll(string(text), image("2"), image("9"))), 0o600); err != nil {
		t.Fatal(err)
	}
	gitIn(t, work, "-c", "user.name=A", "-c", "user.email=a@example.com", "commit", "-qam", "Another one")
	gitIn(t, work, "push", "-q")
	if told, err := worker.Tell(t.Context(), where, change); err != nil || !told.Done || told.Overwritten != image("9") {
		t.Errorf("%+v, %v", told, err)
	}

	// A rollback leaves it, until it says again what the release has told it.
	change.Image, change.Rollback, change.Replaces = image("1"), true, image("2")
	if told, err := worker.Tell(t.Context(), where, change); err != nil || told.Overwritten != image("9") {
		t.Fatalf("%+v, %v", told, err)
	}
	if err := os.WriteFile(manifest, text, 0o600); err != nil {
		t.Fatal(err)
	}
	gitIn(t, work, "-c", "user.name=A", "-c", "user.email=a@example.com", "commit", "-qam", "Back to the release")
	gitIn(t, work, "push", "-q")
	if told, err := worker.Tell(t.Context(), where, change); err != nil || !told.Done || told.Overwritten != "" {
		t.Fatalf("%+v, %v", told, err)
	}
	if log := gitIn(t, bare, "log", "-1", "--format=%B", "main"); !strings.Contains(log, "Fairway-Release: 01J") || !strings.Contains(log, strings.Repeat("1", 64)) {
		t.Errorf("the last commit says\n%s", log)
	}
}

func TestAPullRequestNeedsARepositoryThatHasThem(t *testing.T) {
	_, err := newTruth(t.TempDir()).Tell(t.Context(), pipeline.Git{Repository: deployed(t), Branch: "main", PullRequest: true}, stage.TruthChange{})
	if fault.CodeOf(err) != fault.Invalid {
		t.Errorf("%v", err)
	}
}
