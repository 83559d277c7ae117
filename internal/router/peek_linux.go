package router

import (
	"crypto/tls"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// hungUp says whether the other side has closed its half of the connection,
// also while bytes that it sent before wait to be read.
func hungUp(c net.Conn) bool {
	return polled(c, unix.POLLRDHUP)&(unix.POLLRDHUP|unix.POLLHUP|unix.POLLERR) != 0
}

// readable says whether a read would return at once, with bytes or an end.
func readable(c net.Conn) bool { return polled(c, unix.POLLIN) != 0 }

func polled(c net.Conn, events int16) (got int16) {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	s, ok := c.(syscall.Conn)
	if !ok {
		return 0
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return unix.POLLERR
	}
	err = raw.Control(func(fd uintptr) {
		p := []unix.PollFd{{Fd: int32(fd), Events: events}}
		if n, err := unix.Poll(p, 0); err == nil && n > 0 {
			got = p[0].Revents
		}
	})
	if err != nil {
		return unix.POLLERR
	}
	return got
}
