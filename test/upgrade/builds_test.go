package upgrade

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// builds are the programs of a roll: Fairway before and after it, and the services.
type builds struct {
	folder string
	first  string // the Fairway that is replaced
}

func makeBuilds(t *testing.T) builds {
	t.Helper()
	b := builds{folder: t.TempDir(), first: *from}
	b.make(t, "fairway-next", "./cmd/fairway", "-X github.com/fairwayhq/fairway/internal/app.version=next")
	if b.first == "" {
		b.first = b.build("fairway-before")
		b.make(t, "fairway-before", "./cmd/fairway", "-X github.com/fairwayhq/fairway/internal/app.version=before")
	}
	b.make(t, "shop", "./examples/shop", "-X main.baseErrorRate=0 -X main.version=v1")
	b.make(t, "good", "./examples/shop", "-X main.baseErrorRate=0 -X main.version=v2")
	b.make(t, "bad", "./examples/shop", "-X main.errorRate=1 -X main.version=bad")
	return b
}

func (b builds) build(name string) string { return filepath.Join(b.folder, name) }

func (b builds) make(t *testing.T, name, pkg, ldflags string) {
	t.Helper()
	cmd := exec.Command("go", "build", "-ldflags", ldflags, "-o", b.build(name), pkg)
	cmd.Dir = "../.."
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", pkg, err, output)
	}
}
