package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const cgroupRoot = "/sys/fs/cgroup"

// MakeCgroups makes the sandbox's control groups: one in each hierarchy of version 1,
// or the one of version 2.
func MakeCgroups(name string) error {
	for _, hierarchy := range hierarchies() {
		folder := hierarchy + name
		if err := os.Mkdir(folder, 0o755); err != nil {
			return fmt.Errorf("make a control group: %w", err)
		}
		// In version 1 a group has no processors and no memory until it is given some.
		for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
			all, err := os.ReadFile(filepath.Join(hierarchy, file))
			if err != nil {
				continue
			}
			if err := os.WriteFile(filepath.Join(folder, file), all, 0o644); err != nil {
				return fmt.Errorf("fill a control group: %w", err)
			}
		}
	}
	return nil
}

// RemoveCgroups removes them with all below them. They must have no processes left,
// or lose them in this moment.
func RemoveCgroups(name string) error {
	if !strings.HasPrefix(name, "/"+prefix) || strings.Contains(name[1:], "/") {
		return fmt.Errorf("%s are no control groups of a sandbox", name)
	}
	const limit, pause = 5 * time.Second, 20 * time.Millisecond
	for begin := time.Now(); ; time.Sleep(pause) {
		var left error
		for _, hierarchy := range hierarchies() {
			left = errors.Join(left, removeTree(hierarchy+name))
		}
		// A group stays busy for an instant after its last process.
		if left == nil || time.Since(begin) > limit {
			return left
		}
	}
}

// hierarchies are the folders below which a control group can be made.
func hierarchies() []string {
	if _, err := os.Stat(cgroupRoot + "/cgroup.controllers"); err == nil {
		return []string{cgroupRoot}
	}
	entries, _ := os.ReadDir(cgroupRoot)
	var found []string
	for _, e := range entries {
		if e.IsDir() { // and no link, which is a second name
			found = append(found, filepath.Join(cgroupRoot, e.Name()))
		}
	}
	return found
}

// removeTree removes folders and not the files in them, which are the kernel's.
func removeTree(top string) error {
	var folders []string
	err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			folders = append(folders, path)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	slices.Reverse(folders)
	for _, f := range folders {
		if e := os.Remove(f); e != nil && !errors.Is(e, fs.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	return err
}
