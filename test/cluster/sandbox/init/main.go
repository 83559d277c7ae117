//go:build linux

// Command init is the first process of a sandbox (package sandbox starts it in new
// namespaces; it refuses to run anywhere else). It makes the inside ready, starts what
// it is told to, buries the dead, and when its standard input closes it kills whatever
// runs, removes what would be left, and ends.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/fairwayhq/fairway/test/cluster/sandbox"
)

// Files that the starter passes on.
const (
	lockFile = 3 // held open: the sandbox's folder is in use
	outside  = 4 // the starter's mount namespace
)

func main() {
	// Further down is kill(-1), which must never be said outside of a sandbox.
	if os.Getpid() != 1 {
		fmt.Fprintln(os.Stderr, "init is the first process of a sandbox; it cannot be run by hand")
		os.Exit(2)
	}
	syscall.CloseOnExec(lockFile)
	syscall.CloseOnExec(outside)
	// A starter that is gone must not end this process before it has cleaned up.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE, syscall.SIGHUP)

	lines := json.NewDecoder(os.Stdin)
	var setup sandbox.Setup
	if err := lines.Decode(&setup); err != nil {
		fmt.Fprintln(os.Stderr, "read the setup:", err)
		os.Exit(1)
	}
	serve(setup, lines)
	if err := leave(setup); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// serve makes the inside ready and starts and kills processes until there is nobody to ask for
// more, or somebody sends a signal to end.
func serve(setup sandbox.Setup, lines *json.Decoder) {
	c := newChildren(json.NewEncoder(os.Stdout))
	if err := enter(setup); err != nil {
		c.answer(sandbox.Report{Error: err.Error()})
		return
	}
	c.answer(sandbox.Report{})
	go c.bury()

	orders := make(chan sandbox.Order)
	go func() {
		defer close(orders)
		for {
			var o sandbox.Order
			if lines.Decode(&o) != nil {
				return
			}
			orders <- o
		}
	}()
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGTERM, syscall.SIGINT)
	for {
		select {
		case o, ok := <-orders:
			switch {
			case !ok:
				return
			case o.Run != nil:
				c.start(*o.Run, setup.LogFile(*o.Run))
			default:
				c.kill(o.Kill)
			}
		case <-end:
			return
		}
	}
}

// leave ends all that runs in the sandbox and removes what the kernel would keep.
func leave(setup sandbox.Setup) error {
	for {
		_ = syscall.Kill(-1, syscall.SIGKILL)
		if _, err := syscall.Wait4(-1, nil, 0, nil); err == syscall.ECHILD {
			break
		}
	}
	if err := sandbox.RemoveCgroups(setup.Cgroup); err != nil {
		return err
	}
	return removeFromOutside(setup.Dir)
}

// removeFromOutside removes the folder from where nothing is mounted into it: inside
// there may be mounts below it that show folders of the machine.
func removeFromOutside(dir string) error {
	runtime.LockOSThread()
	// A thread can change its mounts only if it shares its working folder with none.
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return fmt.Errorf("leave the threads' common folder: %w", err)
	}
	if err := unix.Setns(outside, unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("go to the outer mounts: %w", err)
	}
	return os.RemoveAll(dir)
}
