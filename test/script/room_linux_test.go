package script

import (
	"os"
	"os/exec"
	"path/filepath"
)

// mayMount tells whether a small disk can be made.
func mayMount() bool {
	return os.Getuid() == 0 && exec.Command("mount", "--version").Run() == nil && canTmpfs()
}

func canTmpfs() bool {
	dir, err := os.MkdirTemp("", "fairway-room-")
	if err != nil {
		return false
	}
	defer os.RemoveAll(dir)
	if exec.Command("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", dir).Run() != nil {
		return false
	}
	unmount(dir)
	return true
}

func unmount(dir string) { _ = exec.Command("umount", "-l", dir).Run() }

// room FOLDER SIZE: a disk of that size; once more with another size changes it.
func room(ts *script, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: room FOLDER SIZE")
	}
	dir := ts.MkAbs(args[0])
	s := of(ts)
	for _, m := range s.mounted {
		if m == dir {
			ts.Check(ts.Exec("mount", "-o", "remount,size="+args[1], dir))
			return
		}
	}
	ts.Check(os.MkdirAll(filepath.Clean(dir), 0o700))
	ts.Check(ts.Exec("mount", "-t", "tmpfs", "-o", "size="+args[1], "tmpfs", dir))
	s.mounted = append(s.mounted, dir)
}
