package router_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/fairwayhq/fairway/internal/router"
)

// fickle is a backend that closes a kept connection instead of answering the
// second request on it. It counts the requests that it read.
func fickle(t *testing.T) (router.Backend, *atomic.Int64) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	read := &atomic.Int64{}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				r := bufio.NewReader(c)
				for i := range 2 {
					req, err := http.ReadRequest(r)
					if err != nil {
						return
					}
					io.Copy(io.Discard, req.Body)
					if read.Add(1); i == 0 {
						fmt.Fprint(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
					}
				}
			}()
		}
	}()
	return router.Backend{Address: l.Addr().String()}, read
}

func TestOnlyIdempotentRequestsAreSentAgain(t *testing.T) {
	p := start(t, stateDir(t))
	b, read := fickle(t)
	url, c := p.put(t, whole("v1", b)), client(t)
	for range 3 {
		if status, _ := fetch(t, c, url); status != http.StatusOK {
			t.Errorf("a GET on a connection that had gone stale got %d", status)
		}
	}
	if n := read.Load(); n != 5 {
		t.Errorf("the backend read %d requests, want 3 and the 2 that were repeated", n)
	}
	res, err := c.Post(url, "text/plain", strings.NewReader("once"))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if n := read.Load(); res.StatusCode != http.StatusBadGateway || n != 6 {
		t.Errorf("a POST got %d after %d requests, want 502 and no repetition", res.StatusCode, n)
	}
}

func TestABackendThatBreaksOffIsATransportError(t *testing.T) {
	p := start(t, stateDir(t))
	for name, answer := range map[string]string{
		"a short body":           "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
		"chunks without end":     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n",
		"half a head":            "HTTP/1.1 200 OK\r\nContent-",
		"what is not HTTP":       "SSH-2.0-OpenSSH_9.2\r\n\r\n",
		"an ambiguous length":    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"an upgrade, unasked":    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
		"nothing":                "",
		"bytes after the length": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnot a chunk",
	} {
		t.Run(name, func(t *testing.T) {
			b := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				c, _, _ := http.NewResponseController(w).Hijack()
				io.WriteString(c, answer)
				c.Close()
			}))
			url := p.put(t, whole(name, b))
			res, err := client(t).Get(url)
			if err == nil {
				_, err = io.Copy(io.Discard, res.Body)
				res.Body.Close()
			}
			if err == nil && res.StatusCode != http.StatusBadGateway {
				t.Errorf("got a whole answer with %d", res.StatusCode)
			}
			eventually(t, "the error is counted", func() bool { return p.arm(t, name).Errors.Transport == 1 })
			if got := p.arm(t, name); got.Requests != 1 || got.Inflight != 0 {
				t.Errorf("counted %+v", got.Counts)
			}
		})
	}
}
