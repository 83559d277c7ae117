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

// Whoever owns /etc can change its users and the authorities that the program trusts.
func TestTheImagesUserOwnsItsDataAlone(t *testing.T) {
	text := dockerfile(t)
	owned := regexp.MustCompile(`(?m)--chown=.* (\S+)$`).FindAllStringSubmatch(text, -1)
	if len(owned) != 2 {
		t.Errorf("%d of 2 images have a folder that their user may write", len(owned))
	}
	for _, m := range owned {
		if m[1] != "/data" {
			t.Errorf("the user owns %s", m[1])
		}
	}
}

// Who builds on this image needs the name of root, and apt-get the user of its sandbox (_apt).
func TestTheImageWithGitKeepsDebiansUsers(t *testing.T) {
	_, stage, _ := strings.Cut(dockerfile(t), "AS with-git\n")
	stage, _, _ = strings.Cut(stage, "\nFROM ")
	if !strings.Contains(stage, ">> /etc/passwd") || !strings.Contains(stage, ">> /etc/group") ||
		regexp.MustCompile(`(?m)^COPY .* /etc/?$`).MatchString(stage) {
		t.Errorf("its user takes the place of Debian's:\n%s", stage)
	}
}

// A binary whose build was not told its version calls itself unknown.
func TestEveryCommandThatBuildsAnImageTellsItsVersion(t *testing.T) {
	guide, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	commands := regexp.MustCompile(`(?m)^.*docker build .*$`).FindAllString(dockerfile(t)+string(guide), -1)
	if len(commands) < 2 {
		t.Fatalf("only %q say how an image is built", commands)
	}
	for _, c := range commands {
		if !strings.Contains(c, "--build-arg VERSION=") {
			t.Errorf("%s: no version", c)
		}
	}
}

func dockerfile(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("image/Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
