package render_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/google/go-cmp/cmp"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/manifest/render"
)

// lay writes the files of a txtar into a folder and returns it.
func lay(t *testing.T, files string) string {
	t.Helper()
	folder, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	layInto(t, folder, files)
	return folder
}

func layInto(t *testing.T, folder, files string) {
	t.Helper()
	for _, f := range txtar.Parse([]byte(files)).Files {
		name := filepath.Join(folder, f.Name)
		if err := os.MkdirAll(filepath.Dir(name), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, f.Data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// rendered renders twice, demands the same both times, and returns it.
func rendered(t *testing.T, source render.Source) render.Rendered {
	t.Helper()
	first, err := render.Render(t.Context(), source)
	if err != nil {
		t.Fatalf("%v\nhint: %s", err, fault.HintOf(err))
	}
	second, err := render.Render(t.Context(), source)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first, second); diff != "" {
		t.Errorf("rendered twice: %s", diff)
	}
	return first
}

// names are what the objects are.
func names(r render.Rendered) []string {
	var all []string
	for _, o := range r.Objects {
		all = append(all, o.String())
	}
	return all
}

// whole is the text of all objects.
func whole(r render.Rendered) string {
	var all bytes.Buffer
	for _, o := range r.Objects {
		all.Write(o.Raw)
		all.WriteByte('\n')
	}
	return all.String()
}

// refused checks that rendering fails with the code, and that message or hint have all
// the wanted texts.
func refused(t *testing.T, source render.Source, code fault.Code, wanted ...string) {
	t.Helper()
	got, err := render.Render(t.Context(), source)
	if err == nil {
		t.Fatalf("rendered %v", names(got))
	}
	if fault.CodeOf(err) != code {
		t.Errorf("a %s fault instead of %s", fault.CodeOf(err), code)
	}
	for _, want := range wanted {
		if !strings.Contains(err.Error()+"\nhint: "+fault.HintOf(err), want) {
			t.Errorf("it does not say %q: %v\nhint: %s", want, err, fault.HintOf(err))
		}
	}
	if fault.HintOf(err) == "" {
		t.Errorf("no hint: %v", err)
	}
}

// runGit runs git in a folder and returns what it prints.
func runGit(t *testing.T, folder string, args ...string) string {
	t.Helper()
	command := exec.Command("git", args...)
	command.Dir = folder
	command.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com")
	output, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, output)
	}
	return strings.TrimSpace(string(output))
}
