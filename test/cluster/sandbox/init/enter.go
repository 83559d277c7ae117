//go:build linux

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/fairwayhq/fairway/test/cluster/sandbox"
)

// hidden are empty inside: what programs leave there by habit.
var hidden = []string{"/run", "/var/lib", "/var/log"}

// enter makes a machine of its own out of the new namespaces.
func enter(s sandbox.Setup) error {
	steps := []struct {
		what string
		do   func() error
	}{
		{"part from the outer mounts", func() error { return mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE) }},
		{"hide folders", func() error { return hide(s.Keep) }},
		{"show the processes", func() error { return mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC) }},
		{"pretend settings", func() error { return pretend(s.Dir, s.Pretend) }},
		// Container runtimes expect that mounts spread, here within the sandbox.
		{"share the inner mounts", func() error { return mount("", "/", "", unix.MS_REC|unix.MS_SHARED) }},
		{"take a name", func() error { return unix.Sethostname([]byte("sandbox")) }},
		{"make a network", func() error { return network(s.Address, s.Gateway) }},
		{"make control groups", func() error { return sandbox.MakeCgroups(s.Cgroup) }},
	}
	for _, step := range steps {
		if err := step.do(); err != nil {
			return fmt.Errorf("%s: %w", step.what, err)
		}
	}
	return nil
}

// hide covers folders with empty ones, in which those to keep appear again.
func hide(keep []string) error {
	kept := map[string]*os.File{}
	for _, dir := range keep {
		f, err := os.OpenFile(dir, unix.O_PATH, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		kept[dir] = f
	}
	for _, dir := range hidden {
		if err := mount("tmpfs", dir, "tmpfs", 0); err != nil {
			return fmt.Errorf("cover %s: %w", dir, err)
		}
	}
	for dir, f := range kept {
		if !below(dir, hidden) {
			continue
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		if err := mount(fmt.Sprintf("/proc/self/fd/%d", f.Fd()), dir, "", unix.MS_BIND); err != nil {
			return fmt.Errorf("show %s again: %w", dir, err)
		}
	}
	return nil
}

func below(dir string, tops []string) bool {
	for _, top := range tops {
		if strings.HasPrefix(dir, top+"/") {
			return true
		}
	}
	return false
}

// pretend covers settings of the kernel that are the whole machine's by files.
func pretend(dir string, settings map[string]string) error {
	for path, content := range settings {
		if _, err := os.Stat(path); err != nil {
			continue // this kernel does not have it, so nobody reads it
		}
		file := filepath.Join(dir, "pretend"+strings.ReplaceAll(path, "/", "-"))
		if err := os.WriteFile(file, []byte(content+"\n"), 0o644); err != nil {
			return err
		}
		if err := mount(file, path, "", unix.MS_BIND); err != nil {
			return fmt.Errorf("cover %s: %w", path, err)
		}
	}
	return nil
}

// network makes one device that leads nowhere. It carries the address, and the default
// route: without a route, a connection to an address that is rewritten on its way (a
// Kubernetes Service's) would fail before it is rewritten. A bridge without ports is
// the device that every kernel with containers has.
func network(address, gateway string) error {
	commands := [][]string{
		{"ip", "link", "set", "lo", "up"},
		{"ip", "link", "add", "node0", "type", "bridge"},
		{"ip", "address", "add", address + "/24", "dev", "node0"},
		{"ip", "link", "set", "node0", "up"},
		{"ip", "route", "add", "default", "via", gateway, "dev", "node0"},
	}
	for _, c := range commands {
		if out, err := exec.Command(c[0], c[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %s", strings.Join(c, " "), err, out)
		}
	}
	return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644)
}

func mount(source, target, kind string, flags uintptr) error {
	return unix.Mount(source, target, kind, flags, "")
}
