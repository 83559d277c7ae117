package main

import (
	"io"
	"net"
	"testing"
)

func TestARelayCountsBothWays(t *testing.T) {
	far, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	go func() { // answers five bytes by three
		c, err := far.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		if _, err := io.ReadFull(c, make([]byte, 5)); err == nil {
			_, _ = c.Write([]byte("yes"))
		}
	}()
	r, err := startRelay(far.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	near, err := net.Dial("tcp", r.address())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := near.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(near)
	if err != nil || string(answer) != "yes" {
		t.Fatalf("the answer is %q (%v)", answer, err)
	}
	near.Close()
	r.stop()
	if n := r.bytes.Load(); n != 8 {
		t.Errorf("it counted %d bytes, not 8", n)
	}
	if r.open.Load() != 0 || r.most.Load() != 1 {
		t.Errorf("it has %d connections open, and had %d at most", r.open.Load(), r.most.Load())
	}
}
