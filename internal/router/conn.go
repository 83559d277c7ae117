package router

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"time"

	"github.com/fairwayhq/fairway/internal/router/http1"
)

// conn is one client connection that speaks HTTP/1. One goroutine serves it,
// request by request; a second one runs while a body is uploaded.
//
//	idle ──► reading ──► uploading ⇄ sending ──► waiting ──► answering ──► idle
//	                                                             └──► tunnel
type conn struct {
	input
	plane *plane
	on    *listener
	peer  string // the client's address, for X-Forwarded-For
	tls   bool

	out []byte // what is about to be written
	req http1.Request
	res http1.Response
	x   exchange

	watch watch
	// served: a request was read before.
	served bool
	// gone: the connection belongs to someone else now and is not to be closed.
	gone bool
}

func newConn(p *plane, on *listener, nc net.Conn) *conn {
	c := &conn{input: newInput(nc), plane: p, on: on}
	_, c.tls = nc.(*tls.Conn)
	c.peer, _, _ = net.SplitHostPort(nc.RemoteAddr().String())
	c.x.ended = time.Now()
	c.enter(phaseIdle, c.x.ended) // a sweep may come before its first request is awaited
	return c
}

// serve answers requests until the connection ends.
func (c *conn) serve() {
	for c.once() {
	}
}

// once answers one request; it returns false when the connection is done.
func (c *conn) once() bool {
	head, err := c.readHead()
	if err != nil {
		return c.refuse(err)
	}
	if !c.served && !c.tls && bytes.Equal(head, preface) {
		c.r -= len(head)
		c.plane.toHTTP2(c)
		return false
	}
	c.served = true
	if err := c.req.Parse(head); err != nil {
		return c.refuse(err)
	}
	return c.exchange()
}

// preface is how HTTP/2 begins on a cleartext connection (RFC 9113 §3.4).
var preface = []byte("PRI * HTTP/2.0\r\n\r\n")

// readHead waits for a request and notes when it began. Empty lines before it
// are skipped (RFC 9112 §2.2).
func (c *conn) readHead() ([]byte, error) {
	now := c.x.ended
	if c.r == c.w {
		var err error
		if now, err = c.idle(); err != nil {
			return nil, err
		}
	}
	for bytes.HasPrefix(c.buffered(), crlf) {
		c.r += len(crlf)
	}
	if http1.HeadEnd(c.buffered()) < 0 {
		c.enter(phaseReading, now)
		defer func() { c.x.started = time.Now() }()
	}
	c.x = exchange{started: now}
	return c.head()
}

var crlf = []byte("\r\n")

// idle waits for the first byte of a request and returns when it came. Asked to,
// it moves the connection to the process that takes over.
func (c *conn) idle() (time.Time, error) {
	c.enter(phaseIdle, c.x.ended)
	if c.plane.leave(c) {
		return time.Time{}, errMoved
	}
	err := c.fill()
	now := time.Now()
	c.enter(phaseReading, now)
	if !c.plane.leaving.Load() {
		return now, err
	}
	c.SetReadDeadline(time.Time{})
	if !isTimeout(err) {
		return now, err
	}
	if c.plane.leave(c) {
		return now, errMoved
	}
	c.enter(phaseIdle, now)
	err = c.fill()
	now = time.Now()
	c.enter(phaseReading, now)
	return now, err
}

func (c *conn) enter(p phase, at time.Time) { c.watch.enter(p, at) }

var errMoved = errors.New("the connection was moved to another process")

func isTimeout(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}

// refuse answers what cannot be read as a request.
func (c *conn) refuse(err error) bool {
	switch {
	case errors.Is(err, http1.ErrSyntax):
		c.fail("400 Bad Request", err.Error())
	case errors.Is(err, errHeadTooLong):
		c.fail("431 Request Header Fields Too Large", err.Error())
	}
	return false
}

// fail answers with an error of the router's own and ends the connection.
func (c *conn) fail(status, text string) {
	c.out = appendError(c.out[:0], status, text, true)
	if _, err := c.Write(c.out); err == nil {
		c.linger()
	}
}

// linger lets the client read an answer that came before it had sent
// everything: closing at once could reset the connection under the answer.
func (c *conn) linger() {
	if w, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		w.CloseWrite()
	}
	c.SetReadDeadline(time.Now().Add(time.Second))
	io.Copy(io.Discard, io.LimitReader(c.Conn, 1<<20))
}

// header implements request.
func (c *conn) header(name string) string {
	for _, f := range c.req.Fields {
		if len(f.Name) == len(name) && bytes.EqualFold(f.Name, []byte(name)) {
			return string(f.Value)
		}
	}
	return ""
}

// cookie implements request.
func (c *conn) cookie(name string) string {
	for _, f := range c.req.Fields {
		if f.Kind != http1.Cookie {
			continue
		}
		for pair := range bytes.SplitSeq(f.Value, []byte{';'}) {
			k, v, ok := bytes.Cut(bytes.TrimSpace(pair), []byte{'='})
			if ok && string(k) == name {
				return string(bytes.Trim(v, `"`))
			}
		}
	}
	return ""
}

// handshake ends the TLS handshake; it returns the protocol that was agreed on.
func handshake(c *tls.Conn) (string, error) {
	c.SetDeadline(time.Now().Add(10 * time.Second))
	if err := c.Handshake(); err != nil {
		return "", err
	}
	return c.ConnectionState().NegotiatedProtocol, c.SetDeadline(time.Time{})
}
