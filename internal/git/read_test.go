package git_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fairwayhq/fairway/internal/fault"
)

func TestReadReturnsWhatTheBranchSays(t *testing.T) {
	files := map[string]string{
		"apps/shop/deployment.yaml":  shop,
		"apps/shop/a/b ü.txt":        "no line end",
		"apps/shop/empty.yaml":       "",
		"apps/shop/crlf.yaml":        "a: b\r\n\x00\xff\r\n",
		"apps/shopping/other.yaml":   "x",
		"base/kustomization.yaml":    "resources: []\n",
		"apps/shop/.gitattributes":   "*.yaml text eol=lf ident\n",
		"apps/shop/ident.yaml":       "$Id$\n",
		"apps/shop/second/x/y/z.yml": "x",
	}
	r := newRemote(t, files)
	dir := t.TempDir()
	run(t, "", "git", "clone", "--quiet", r.dir, dir)
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "apps/shop/link.yaml")); err != nil {
		t.Fatal(err)
	}
	run(t, dir, "git", "add", "apps/shop/link.yaml")
	run(t, dir, "git", "-c", "user.name=A", "-c", "user.email=a@b", "commit", "--quiet", "-m", "Link")
	run(t, dir, "git", "push", "--quiet")

	for name, tc := range map[string]struct {
		paths []string
		under []string
	}{
		"below the place":      {nil, []string{"apps/shop/"}},
		"a file and a folder":  {[]string{"/base/", "apps/shopping/other.yaml"}, []string{"base/", "apps/shopping/"}},
		"the whole repository": {[]string{"."}, []string{""}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := r.repository(r.dir).Read(t.Context(), tc.paths...)
			if err != nil {
				t.Fatal(err)
			}
			want := map[string][]byte{}
			for name := range files {
				if slices.ContainsFunc(tc.under, func(u string) bool { return strings.HasPrefix(name, u) }) {
					want[name] = []byte(r.file("main", name))
				}
			}
			if !maps.EqualFunc(got.Files, want, func(a, b []byte) bool { return string(a) == string(b) }) {
				t.Errorf("Read() has %q, want %q", got.Files, want)
			}
			if got.Commit != r.head("main") {
				t.Errorf("the commit is %s, and the head %s", got.Commit, r.head("main"))
			}
		})
	}
	if _, err := r.repository(r.dir).Read(t.Context(), "nowhere"); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("Read() of a path that is not there = %v", err)
	}
}

func TestHeadIsTheBranchsCommit(t *testing.T) {
	r := newRemote(t, map[string]string{"a": "b"})
	r.push("x/main", map[string]string{"a": "c"})
	repository := r.repository(r.dir)
	if head, err := repository.Head(t.Context()); err != nil || head != r.head("main") {
		t.Errorf("Head() = %s, %v, want %s", head, err, r.head("main"))
	}
	repository.Branch = "x"
	if head, err := repository.Head(t.Context()); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("Head() of a branch that is not there = %s, %v", head, err)
	}
}
