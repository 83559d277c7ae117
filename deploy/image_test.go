package deploy

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// An image is built from what .dockerignore lets through. Too little, and the build fails; too
// much, and a change of a document builds anew, or a local database travels with the sources.
func TestAnImageIsBuiltFromTheSourcesAlone(t *testing.T) {
	list := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{if .Main}}{{$.ImportPath}}{{end}}{{end}}", "./cmd/fairway")
	list.Dir = ".."
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	needed := []string{"go.mod", "go.sum"}
	for _, path := range strings.Fields(string(out)) {
		parts := strings.Split(path, "/")
		needed = append(needed, parts[3]) // behind github.com/fairwayhq/fairway
	}
	slices.Sort(needed)
	needed = slices.Compact(needed)

	text, err := os.ReadFile("../.dockerignore")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "\n*\n!") {
		t.Fatal("not everything is left out that is not named")
	}
	var sent []string
	for _, m := range regexp.MustCompile(`(?m)^!(.+)$`).FindAllStringSubmatch(string(text), -1) {
		sent = append(sent, m[1])
	}
	slices.Sort(sent)
	if !slices.Equal(sent, needed) {
		t.Errorf("a build gets %v; it needs %v", sent, needed)
	}
	// What the machine that builds has made of web/ would take the place of what the build makes.
	_, last, _ := strings.Cut(string(text), "!web\n")
	for _, made := range []string{"web/dist", "web/node_modules"} {
		if !slices.Contains(strings.Fields(last), made) {
			t.Errorf("a build gets %s", made)
		}
	}
	if _, err := os.Stat("image/Dockerfile.dockerignore"); err == nil {
		t.Error("some builders read image/Dockerfile.dockerignore instead")
	}
}
