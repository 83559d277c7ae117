package cluster

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

func quiet(string, ...any) {}

func module(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestAPartIsBuiltOncePerStateOfItsModule(t *testing.T) {
	cache, module := t.TempDir(), module(t)
	var builds atomic.Int32
	p := part{name: "thing", make: func(_ context.Context, _, target string) error {
		builds.Add(1)
		return os.WriteFile(target, nil, 0o600)
	}}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if at, err := p.get(t.Context(), cache, module, quiet); err != nil || !exists(at) {
				t.Errorf("the thing is not at %q: %v", at, err)
			}
		})
	}
	all.Wait()
	if n := builds.Load(); n != 1 {
		t.Errorf("four that wanted it at once built it %d times", n)
	}
	if err := os.WriteFile(filepath.Join(module, "go.sum"), []byte("other"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := p.get(t.Context(), cache, module, quiet); err != nil || builds.Load() != 2 {
		t.Errorf("after a change of the module it was built %d times in all, and not twice: %v", builds.Load(), err)
	}
}

func TestABuildThatEndsEarlyLeavesNothingThatCounts(t *testing.T) {
	cache, module := t.TempDir(), module(t)
	p := part{name: "thing", make: func(_ context.Context, _, target string) error {
		_ = os.WriteFile(target, []byte("half"), 0o600)
		return errors.New("killed")
	}}
	if _, err := p.get(t.Context(), cache, module, quiet); err == nil {
		t.Error("a build that failed is a success")
	}
	p.make = func(_ context.Context, _, target string) error {
		if exists(target) {
			t.Error("the next build finds half of the one before")
		}
		return os.WriteFile(target, []byte("whole"), 0o600)
	}
	killed := filepath.Join(cache, "half-built-1")
	if err := os.Mkdir(killed, 0o700); err != nil {
		t.Fatal(err)
	}
	at, err := p.get(t.Context(), cache, module, quiet)
	if err != nil {
		t.Fatal(err)
	}
	if exists(killed) {
		t.Error("what a killed build has left stays for ever")
	}
	if text, _ := os.ReadFile(at); string(text) != "whole" {
		t.Errorf("the thing is %q", text)
	}
}

func TestTheVersionIsStamped(t *testing.T) {
	flags := stamp("v1.37.2")
	for _, want := range []string{
		"-X k8s.io/component-base/version.gitVersion=v1.37.2", "version.gitMajor=1 ", "version.gitMinor=37 ",
		"-X k8s.io/client-go/pkg/version.gitVersion=v1.37.2",
	} {
		if !strings.Contains(flags, want) {
			t.Errorf("the linker's flags %q lack %q", flags, want)
		}
	}
}
