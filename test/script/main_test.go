// Package script tests Fairway as its users meet it: every file in testdata is a
// story in which somebody works on the command line, against a real server with its
// worker, a real router and real processes. `fairway` in a story is this test
// binary itself, by the same way in as the real one.
//
// Beside the commands of testscript the stories know those of commands_test.go.
// A story cleans up after itself, however it ends.
package script

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/fairwayhq/fairway/internal/app"
	"github.com/fairwayhq/fairway/internal/cli"
	"github.com/fairwayhq/fairway/test/postgres"
)

// atOnce is how many stories are told at the same time. They mostly wait.
const atOnce = "8"

func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", atOnce); err != nil { // -parallel on the command line wins
		panic(err)
	}
	testscript.Main(stage{m}, map[string]func(){
		"fairway": fairway,
		// An instance of the host platform is started through /proc/self/exe.
		"exe": fairway,
	})
}

// fairway is what cmd/fairway does.
func fairway() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	root := cli.New(app.Version(), app.Past, app.Find)
	root.AddCommand(app.Commands()...)
	code := cli.Execute(ctx, root)
	stop()
	os.Exit(code)
}

// stage runs the tests and takes away what was built for them.
type stage struct{ m *testing.M }

func (s stage) Run() int {
	code := s.m.Run()
	if built.dir != "" {
		_ = os.RemoveAll(built.dir)
	}
	return code
}

func TestStories(t *testing.T) {
	artifacts, err := build()
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: false,
		RequireUniqueNames:  true,
		UpdateScripts:       os.Getenv("UPDATE") != "",
		Setup:               func(e *testscript.Env) error { return prepare(e, artifacts) },
		Cmds:                commands,
		Condition:           condition,
	})
}

var built struct {
	once sync.Once
	dir  string
	err  error
}

// versions are the shop's builds. v3 fails every answer, v4 cannot start.
var versions = map[string]string{
	"v1": "-X main.version=v1 -X main.baseErrorRate=0",
	"v2": "-X main.version=v2 -X main.baseErrorRate=0",
	"v3": "-X main.version=v3 -X main.errorRate=1",
	"v4": "-X main.version=v4 -X main.failStart=true",
	"v5": "-X main.version=v5 -X main.baseErrorRate=0",
}

// build makes the artifacts of all stories, once, and returns their folder.
func build() (string, error) {
	built.once.Do(func() {
		if built.dir, built.err = os.MkdirTemp("", "fairway-script-"); built.err != nil {
			return
		}
		for version, flags := range versions {
			built.err = goBuild(filepath.Join(built.dir, version), flags, "../../examples/shop")
			if built.err != nil {
				return
			}
		}
		built.err = goBuild(filepath.Join(built.dir, "odd"), "", "./testdata/odd")
	})
	return built.dir, built.err
}

func goBuild(to, ldflags, pkg string) error {
	cmd := exec.Command("go", "build", "-ldflags", "-s -w "+ldflags, "-o", to, pkg)
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", pkg, err, output)
	}
	return nil
}

// prepare gives a story a home of its own.
func prepare(e *testscript.Env, artifacts string) error {
	home := filepath.Join(e.WorkDir, "home")
	data := filepath.Join(e.WorkDir, "data")
	if err := os.MkdirAll(home, 0o700); err != nil {
		return err
	}
	e.Setenv("HOME", home)
	e.Setenv("BUILT", artifacts)
	e.Setenv("FAIRWAY_DATA_DIR", data)
	nobody, err := freePort()
	if err != nil {
		return err
	}
	e.Setenv("FAIRWAY_SERVER", fmt.Sprintf("http://127.0.0.1:%d", nobody)) // until one is started
	e.Setenv("FAIRWAY_TOKEN", "")
	e.Setenv("TZ", "UTC")
	s := &story{work: e.WorkDir, data: data}
	e.Values[storyKey{}] = s
	e.Defer(s.end)
	return nil
}

func condition(name string) (bool, error) {
	switch name {
	case "root":
		return os.Getuid() == 0, nil
	case "tmpfs":
		return mayMount(), nil
	case "postgres":
		return postgres.Missing() == "", nil
	}
	return false, fmt.Errorf("unknown condition %q", name)
}
