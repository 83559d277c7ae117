//go:build !linux

package router

import (
	"crypto/tls"
	"net"
	"syscall"
)

// hungUp says whether the other side has closed its half of the connection and
// nothing that it sent before waits to be read.
func hungUp(c net.Conn) bool {
	n, err := peek(c)
	return n == 0 && err == nil || err != nil && err != syscall.EAGAIN
}

// readable says whether a read would return at once, with bytes or an end.
func readable(c net.Conn) bool {
	_, err := peek(c)
	return err != syscall.EAGAIN
}

func peek(c net.Conn) (n int, err error) {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	s, ok := c.(syscall.Conn)
	if !ok {
		return 0, syscall.EAGAIN
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return 0, err
	}
	var one [1]byte
	controlErr := raw.Control(func(fd uintptr) {
		n, _, err = syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK)
	})
	if controlErr != nil {
		return 0, controlErr
	}
	return n, err
}
