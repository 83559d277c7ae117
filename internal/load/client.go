package load

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
)

// client sends one request again and again over connections that it keeps. It
// never sends twice: net/http's would repeat a request when a kept connection
// turns out to be closed, and so hide what is to be counted here.
type client struct {
	request *http.Request
	raw     []byte
	timeout time.Duration
	address string
	// mostIdle is how long a connection is kept without a request.
	mostIdle time.Duration

	mu   sync.Mutex
	idle []*conn
}

type conn struct {
	net.Conn
	r     *bufio.Reader
	since time.Time // when it was last given back
}

// mostIdle is how long a connection is kept without a request. Servers close idle
// ones too, commonly after a minute or more, and a client that meets that moment
// would count a failure that is nobody's.
const mostIdle = 30 * time.Second

func newClient(req *http.Request, timeout time.Duration) (*client, error) {
	var raw bytes.Buffer
	if req.Header.Get("User-Agent") == "" {
		req.Header.Set("User-Agent", "fairway-load")
	}
	if err := req.Write(&raw); err != nil {
		return nil, fault.Errorf(fault.Invalid, "make the request: %w", err)
	}
	port := req.URL.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[req.URL.Scheme]
	}
	return &client{
		request: req, raw: raw.Bytes(), timeout: timeout, mostIdle: mostIdle,
		address: net.JoinHostPort(req.URL.Hostname(), port),
	}, nil
}

// errConnect is in the chain when no connection could be made.
var errConnect = errors.New("could not connect")

func (c *client) do() (*http.Response, error) {
	conn := c.take()
	if conn == nil {
		var err error
		if conn, err = c.dial(); err != nil {
			return nil, fmt.Errorf("%w: %w", errConnect, err)
		}
	}
	res, err := c.ask(conn)
	if err != nil || res.Close {
		conn.Close()
		return res, err
	}
	c.give(conn)
	return res, nil
}

func (c *client) dial() (*conn, error) {
	dialer := &net.Dialer{Timeout: c.timeout}
	var nc net.Conn
	var err error
	if c.request.URL.Scheme == "https" {
		nc, err = tls.DialWithDialer(dialer, "tcp", c.address, &tls.Config{ServerName: c.request.URL.Hostname()})
	} else {
		nc, err = dialer.Dial("tcp", c.address)
	}
	if err != nil {
		return nil, err
	}
	return &conn{Conn: nc, r: bufio.NewReader(nc)}, nil
}

// ask sends the request and reads the whole answer.
func (c *client) ask(conn *conn) (*http.Response, error) {
	if err := conn.SetDeadline(time.Now().Add(c.timeout)); err != nil {
		return nil, err
	}
	if _, err := conn.Write(c.raw); err != nil {
		return nil, err
	}
	res, err := http.ReadResponse(conn.r, c.request)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	return res, err
}

// take returns the connection that was used last, or nil. When that one has been
// idle for too long, so have all others.
func (c *client) take() *conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := len(c.idle)
	if n == 0 {
		return nil
	}
	conn := c.idle[n-1]
	if time.Since(conn.since) > c.mostIdle {
		c.closeIdle()
		return nil
	}
	c.idle = c.idle[:n-1]
	return conn
}

func (c *client) give(conn *conn) {
	conn.since = time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.idle = append(c.idle, conn)
}

func (c *client) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closeIdle()
}

func (c *client) closeIdle() {
	for _, conn := range c.idle {
		conn.Close()
	}
	c.idle = nil
}

// classOf names a failure in a word or two.
func classOf(err error) string {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "timeout"
	case errors.Is(err, errConnect):
		return "connect"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "closed"
	default:
		return "broken"
	}
}
