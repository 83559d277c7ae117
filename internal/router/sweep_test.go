package router

import (
	"net"
	"os"
	"testing"
	"time"
)

func TestASweepSparesAConnectionThatHasJustCome(t *testing.T) {
	client, server := net.Pipe()
	defer client.Close()
	c := newConn(&plane{}, &listener{}, server)
	defer c.Close()
	c.sweep(time.Now())
	if open := stillOpen(client); !open {
		t.Error("a new connection was closed")
	}
	c.sweep(time.Now().Add(idleClient + time.Second))
	if open := stillOpen(client); open {
		t.Error("an idle connection was kept for longer than its limit")
	}
}

// stillOpen reads from a pipe whose other end says nothing.
func stillOpen(c net.Conn) bool {
	c.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	_, err := c.Read(make([]byte, 1))
	return os.IsTimeout(err)
}
