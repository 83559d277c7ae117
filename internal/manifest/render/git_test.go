package render_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/manifest/render"
)

// repository makes one of the files, and returns it with the hash of its commit.
func repository(t *testing.T, files string) (folder, commit string) {
	t.Helper()
	folder = lay(t, files)
	runGit(t, folder, "init", "--quiet", "--initial-branch=main")
	return folder, commitAll(t, folder)
}

func commitAll(t *testing.T, folder string) string {
	t.Helper()
	runGit(t, folder, "add", "--all", "--force")
	runGit(t, folder, "commit", "--quiet", "--message=x")
	return runGit(t, folder, "rev-parse", "HEAD")
}

// emptyTemp makes a folder for temporary files; at the end of the test nothing may be
// left in it.
func emptyTemp(t *testing.T) {
	t.Helper()
	folder := t.TempDir()
	t.Setenv("TMPDIR", folder)
	t.Cleanup(func() {
		left, err := os.ReadDir(folder)
		if err != nil || len(left) > 0 {
			t.Errorf("left behind: %v %v", left, err)
		}
	})
}

func TestEveryFormIsRenderedFromARepository(t *testing.T) {
	emptyTemp(t)
	// What a hook would have in its environment.
	t.Setenv("GIT_DIR", "/nowhere")
	t.Setenv("GIT_INDEX_FILE", "/nowhere")
	for name, c := range map[string]struct {
		files  string
		source render.Source
		form   render.Form
	}{
		"plain":     {plainFolder, render.Source{Path: "deploy"}, render.Plain},
		"kustomize": {kustomizeFolder, render.Source{Path: "deploy/production"}, render.Kustomize},
		"chart":     {chartFolder, render.Source{Path: "deploy/chart", Values: []string{"deploy/production.yaml"}, Name: "a"}, render.Chart},
	} {
		t.Run(name, func(t *testing.T) {
			if dir := os.Getenv("GIT_DIR"); dir != "" {
				os.Unsetenv("GIT_DIR")
				os.Unsetenv("GIT_INDEX_FILE")
				defer os.Setenv("GIT_DIR", dir)
				defer os.Setenv("GIT_INDEX_FILE", dir)
			}
			folder, commit := repository(t, c.files)
			local := c.source
			local.Base = folder
			want := rendered(t, local)
			os.Setenv("GIT_DIR", "/nowhere")
			os.Setenv("GIT_INDEX_FILE", "/nowhere")
			c.source.Repository, c.source.Commit, c.source.Base = folder, commit, "/ignored"
			got := rendered(t, c.source)
			if got.Form != c.form || whole(got) != whole(want) {
				t.Errorf("%s: %s", got.Form, cmp.Diff(whole(want), whole(got)))
			}
		})
	}
}

func TestTheCommitIsTakenAndNotTheBranch(t *testing.T) {
	emptyTemp(t)
	folder, first := repository(t, "-- a.yaml --\n{apiVersion: v1, kind: Service, metadata: {name: first}}\n")
	layInto(t, folder, "-- a.yaml --\n{apiVersion: v1, kind: Service, metadata: {name: second}}\n")
	second := commitAll(t, folder)
	for commit, want := range map[string]string{first: "Service first", second: "Service second"} {
		for _, repository := range []string{folder, "file://" + folder} {
			got := rendered(t, render.Source{Repository: repository, Commit: commit})
			if diff := cmp.Diff([]string{want}, names(got)); diff != "" {
				t.Errorf("%s: %s", repository, diff)
			}
		}
	}
	t.Chdir(filepath.Dir(folder))
	if got := rendered(t, render.Source{Repository: filepath.Base(folder), Commit: first}); len(got.Objects) != 1 {
		t.Errorf("by a relative path: %v", names(got))
	}
}

func TestBadRepositoriesAreRefused(t *testing.T) {
	emptyTemp(t)
	folder, commit := repository(t, plainFolder)
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	address := strings.TrimPrefix(closed.URL, "http://")
	for name, c := range map[string]struct {
		source render.Source
		code   fault.Code
		want   []string
	}{
		"a branch":            {render.Source{Repository: folder, Commit: "main"}, fault.Invalid, []string{`"main" is not the whole hash`, "git rev-parse"}},
		"a short hash":        {render.Source{Repository: folder, Commit: commit[:12]}, fault.Invalid, []string{"not the whole hash"}},
		"no such commit":      {render.Source{Repository: folder, Commit: strings.Repeat("0f", 20)}, fault.NotFound, []string{"has no commit 0f0f", "push the commit"}},
		"no repository":       {render.Source{Repository: t.TempDir(), Commit: commit}, fault.NotFound, []string{"is no repository", "git ls-remote"}},
		"a server that's off": {render.Source{Repository: "http://anna:hunter2@" + address + "/x.git", Commit: commit}, fault.Unavailable, []string{"anna:xxxxx@", "git says", "git ls-remote"}},
		"a command":           {render.Source{Repository: "ext::sh -c true", Commit: commit}, fault.Unavailable, []string{"'ext' not allowed"}},
		"a path outside":      {render.Source{Repository: folder, Commit: commit, Path: "../x"}, fault.Invalid, []string{"../x leads out of the repository"}},
		"values outside":      {render.Source{Repository: folder, Commit: commit, Values: []string{"/etc/passwd"}}, fault.Invalid, []string{"/etc/passwd leads out"}},
		"no such path":        {render.Source{Repository: folder, Commit: commit, Path: "lost"}, fault.NotFound, []string{"there are no manifests at lost: no such file"}},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, c.source, c.code, c.want...)
			if _, err := render.Render(t.Context(), c.source); strings.Contains(err.Error()+fault.HintOf(err), "hunter2") {
				t.Errorf("it tells the password: %v", err)
			}
		})
	}
	t.Run("an option", func(t *testing.T) {
		_, err := render.Render(t.Context(), render.Source{Repository: "--upload-pack=true", Commit: commit})
		if fault.CodeOf(err) != fault.Invalid {
			t.Errorf("got %v", err)
		}
	})
	t.Run("no git", func(t *testing.T) {
		t.Setenv("PATH", t.TempDir())
		refused(t, render.Source{Repository: folder, Commit: commit}, fault.Invalid, "git, which is not on the PATH", "install git")
	})
	t.Run("nobody waits", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := render.Render(ctx, render.Source{Repository: folder, Commit: commit})
		if fault.CodeOf(err) != fault.Unavailable {
			t.Errorf("got %v", err)
		}
	})
}

func TestARepositoryReadsNothingOutsideOfIt(t *testing.T) {
	emptyTemp(t)
	elsewhere := lay(t, "-- kustomization.yaml --\nresources: [a.yaml]\n-- a.yaml --\n{apiVersion: v1, kind: Secret, metadata: {name: stolen}}\n")
	folder, _ := repository(t, chartFolder)
	link := filepath.Join(folder, "deploy/chart/templates/stolen.yaml")
	if err := os.Symlink(filepath.Join(elsewhere, "a.yaml"), link); err != nil {
		t.Fatal(err)
	}
	source := render.Source{Repository: folder, Path: "deploy/chart", Commit: commitAll(t, folder)}
	refused(t, source, fault.Invalid, "deploy/chart/templates/stolen.yaml of the repository is a link that leads out")

	if err := os.Remove(link); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("deployment.yaml", filepath.Join(folder, "deploy/chart/templates/nowhere.txt")); err != nil {
		t.Fatal(err)
	}
	layInto(t, folder, "-- base/kustomization.yaml --\nresources: [\""+strings.Repeat("../", 20)+elsewhere[1:]+"\"]\n")
	source.Path, source.Commit = "base", commitAll(t, folder)
	refused(t, source, fault.Invalid, "base/kustomization.yaml:1:", "leads out of the repository")
}
