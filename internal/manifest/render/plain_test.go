package render_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/manifest/render"
)

const plainFolder = `
-- deploy/b.yml --
{apiVersion: v1, kind: Service, metadata: {name: shop}}
-- deploy/a.yaml --
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: shop}
-- deploy/more/c.json --
{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "shop", "namespace": "team"}}
-- deploy/README.md --
no manifest
-- deploy/.hidden/d.yaml --
not: read
-- deploy/.e.yaml --
not: read
`

func TestAFolderIsReadWithItsSubfolders(t *testing.T) {
	base := lay(t, plainFolder)
	got := rendered(t, render.Source{Base: base, Path: "deploy"})
	want := []string{"ConfigMap shop", "Deployment shop", "Secret team/shop", "Service shop"}
	if diff := cmp.Diff(want, names(got)); diff != "" || got.Form != render.Plain || got.LeftOut != nil {
		t.Errorf("%s, %s, %v", diff, got.Form, got.LeftOut)
	}
	one := rendered(t, render.Source{Path: filepath.Join(base, "deploy/b.yml")})
	if diff := cmp.Diff([]string{"Service shop"}, names(one)); diff != "" {
		t.Errorf("one file: %s", diff)
	}
	t.Chdir(filepath.Join(base, "deploy"))
	if here := rendered(t, render.Source{}); len(here.Objects) != 4 {
		t.Errorf("the working directory: %v", names(here))
	}
}

func TestBadFoldersAreRefused(t *testing.T) {
	service := "{apiVersion: v1, kind: Service, metadata: {name: shop}}\n"
	for name, c := range map[string]struct {
		files string
		code  fault.Code
		want  []string
	}{
		"a path that is not there": {"-- a --\n", fault.NotFound, []string{"there are no manifests at", "deploy: no such file", "relative to fairway.yaml"}},
		"nothing in it":            {"-- deploy/a.txt --\n", fault.Invalid, []string{"deploy has no objects", ".yaml"}},
		"only remarks":             {"-- deploy/a.yaml --\n# later\n", fault.Invalid, []string{"deploy has no objects"}},
		"no YAML":                  {"-- deploy/a.yaml --\na: b\n c: d\n", fault.Invalid, []string{"deploy/a.yaml:2: this is not YAML", "indentation"}},
		"no kind":                  {"-- deploy/a.yaml --\n" + service + "---\nreplicas: 2\n", fault.Invalid, []string{"deploy/a.yaml:3: this object has no kind"}},
		"twice":                    {"-- deploy/a.yaml --\n" + service + "-- deploy/b/b.yaml --\n" + service, fault.Invalid, []string{"Service shop is there twice", "deploy/a.yaml:1 and", "deploy/b/b.yaml:1"}},
		"a chart inside":           {"-- deploy/a.yaml --\n" + service + "-- deploy/sub/Chart.yaml --\n", fault.Invalid, []string{"deploy/sub is a Helm chart inside"}},
		"a kustomization inside":   {"-- deploy/a.yaml --\n" + service + "-- deploy/sub/kustomization.yml --\n", fault.Invalid, []string{"deploy/sub is a Kustomize folder inside"}},
		"two forms":                {"-- deploy/Chart.yaml --\n-- deploy/kustomization.yaml --\n", fault.Invalid, []string{"at once", "point at"}},
		"too much":                 {"-- deploy/a.yaml --\n{apiVersion: v1, kind: ConfigMap, metadata: {name: big}, data: {a: " + strings.Repeat("x", 1<<20) + "}}\n", fault.Invalid, []string{"at most 1024 KiB", "ConfigMap big"}},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, render.Source{Base: lay(t, c.files), Path: "deploy"}, c.code, c.want...)
		})
	}
	t.Run("values without a chart", func(t *testing.T) {
		refused(t, render.Source{Base: lay(t, plainFolder), Path: "deploy", Values: []string{"v.yaml"}}, fault.Invalid, "values are for a Helm chart")
	})
	t.Run("a thousand files", func(t *testing.T) {
		var files strings.Builder
		for i := range 1001 {
			fmt.Fprintf(&files, "-- deploy/%d.yaml --\n", i)
		}
		refused(t, render.Source{Base: lay(t, files.String()), Path: "deploy"}, fault.Invalid, "more than 1000 files")
	})
}

func TestWhatIsNoFileOfTheFolderIsNotRead(t *testing.T) {
	base := lay(t, plainFolder+"-- secret.yaml --\n{apiVersion: v1, kind: Secret, metadata: {name: stolen}}\n")
	source := render.Source{Base: base, Path: "deploy"}
	link := filepath.Join(base, "deploy", "link.yaml")
	if err := os.Symlink("more/c.json", filepath.Join(base, "deploy", "inside.txt")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../secret.yaml", link); err != nil {
		t.Fatal(err)
	}
	refused(t, source, fault.Invalid, "link.yaml", "a link may lead only")
	if err := os.Remove(link); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(link, 0o600); err != nil {
		t.Skip("no pipes here")
	}
	got, err := render.Render(t.Context(), source)
	if err == nil || !strings.Contains(err.Error(), "is not a file") {
		t.Errorf("a pipe: %v %v", names(got), err)
	}
}
