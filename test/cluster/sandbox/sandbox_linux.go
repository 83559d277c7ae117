package sandbox

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// Possible says why there can be no sandbox on this machine; nil if there can.
func Possible() error {
	if os.Getuid() != 0 {
		return errors.New("it needs root")
	}
	try := exec.Command("true")
	try.SysProcAttr = newNamespaces()
	if err := try.Run(); err != nil {
		return fmt.Errorf("new namespaces are not allowed here: %w", err)
	}
	trial := fmt.Sprintf("/%strial-%d", prefix, os.Getpid())
	if err := errors.Join(MakeCgroups(trial), RemoveCgroups(trial)); err != nil {
		return fmt.Errorf("control groups cannot be made here: %w", err)
	}
	return nil
}

// newNamespaces also begins a session, so that ctrl-C on a terminal goes to the
// starter alone, which can then clean up.
func newNamespaces() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC,
		Setsid:     true,
	}
}

// dialIn connects from within a network namespace: a socket belongs for ever to the
// one of the thread that makes it.
func dialIn(ctx context.Context, netns *os.File, network, address string) (net.Conn, error) {
	var conn net.Conn
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		own, e := os.Open("/proc/thread-self/ns/net")
		if e != nil {
			err = e
			return
		}
		defer own.Close()
		if err = unix.Setns(int(netns.Fd()), unix.CLONE_NEWNET); err != nil {
			return
		}
		conn, err = new(net.Dialer).DialContext(ctx, network, address)
		// A thread that cannot go back stays locked, and ends with this goroutine.
		if unix.Setns(int(own.Fd()), unix.CLONE_NEWNET) == nil {
			runtime.UnlockOSThread()
		}
	}()
	<-done
	return conn, err
}
