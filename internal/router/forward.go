package router

import (
	"bytes"
	"errors"

	"github.com/fairwayhq/fairway/internal/router/http1"
)

// exchange carries the request that was just read to a backend and the answer
// back. It returns false when the connection is done.
func (c *conn) exchange() bool {
	if string(c.req.Method) == "CONNECT" {
		c.fail("405 Method Not Allowed", "CONNECT is not served here")
		return false
	}
	if !c.x.direct(c.on.site.Load(), string(c.req.Host), c) {
		c.plane.tally.unrouted.Add(1)
		c.fail("404 Not Found", "no route")
		return false
	}
	defer c.x.end()
	if !c.mayUpgrade() {
		c.req.Upgrade = nil
	}
	return c.forward()
}

// mayUpgrade says whether the change of protocol is the backend's business. h2c
// by Upgrade is not, and a body beside an upgrade would be ambiguous.
func (c *conn) mayUpgrade() bool {
	if len(c.req.Upgrade) == 0 || c.req.Length > 0 || c.req.Chunked || c.req.Minor == 0 {
		return false
	}
	return !bytes.Contains(bytes.ToLower(c.req.Upgrade), []byte("h2c"))
}

// delivery is what must be known of a request while its answer is awaited; the
// request's own slices may by then have been overwritten.
type delivery struct {
	method    string // of those that matter: HEAD, or empty
	upgrade   bool
	keepAlive bool
	old       bool // HTTP/1.0
	up        *upstream
	upload    *upload // the rest of the body, under way; nil when it went out with the head
	unread    bool    // some of the body had not arrived with the head
}

func (c *conn) forward() bool {
	d := delivery{
		upgrade:   c.req.Upgrade != nil,
		keepAlive: c.req.Minor == 1 && !c.req.Close,
		old:       c.req.Minor == 0,
	}
	if string(c.req.Method) == "HEAD" {
		d.method = "HEAD"
	}
	repeatable := idempotent(c.req.Method)
	c.out = c.appendRequest(c.out[:0])
	rest, err := c.takeBody()
	if err != nil {
		return c.refuse(err)
	}
	d.unread = rest != nil
	if c.x.struck() {
		c.x.strike()
		return c.apologize(&d, "503 Service Unavailable", struckText)
	}
	if err := c.ask(&d, rest, repeatable); err != nil {
		return c.explain(&d)
	}
	return c.answer(&d)
}

// ask sends the request and waits for the head of the answer. What could not be
// sent to one backend is sent to the next of the arm. A connection that was idle
// may have been closed just then, so that on it an idempotent request is repeated.
func (c *conn) ask(d *delivery, rest *upload, repeatable bool) error {
	turn, now := c.x.arm.turn(c.x.started), c.x.started
	var failed error
	for b := turn.next(); b != nil; b = turn.next() {
		c.x.choose(b)
		d.up = b.take(now, !repeatable || rest != nil)
		for {
			if d.up == nil {
				if d.up, failed = b.dial(); failed != nil {
					c.x.outcome = outcomeConnect
					break
				}
			}
			c.x.outcome = outcomeOK
			err := c.send(d, rest)
			stale := err != nil && d.up.used && d.up.w == 0 && c.watch.why() == endedNot
			if !stale || !repeatable || rest != nil {
				return err
			}
			c.drop(d)
		}
	}
	return failed
}

// send writes the request and reads the head of the answer.
func (c *conn) send(d *delivery, rest *upload) error {
	p := phaseWaiting
	if rest != nil {
		p = phaseUploading
	}
	c.watch.attach(p, c.x.started, d.up, &c.x)
	d.up.r, d.up.w = 0, 0
	if _, err := d.up.Write(c.out); err != nil {
		return err
	}
	if rest != nil {
		d.upload = rest
		rest.start(c, d.up)
	}
	for {
		head, err := d.up.head()
		if err != nil {
			return err
		}
		if err := c.res.Parse(head); err != nil {
			return err
		}
		if c.res.Status >= 200 || c.res.Status == 101 {
			return nil
		}
		if err := c.interim(d); err != nil {
			c.watch.end(endedAborted)
			return err
		}
	}
}

// interim passes a 1xx on, which goes before the answer proper.
func (c *conn) interim(d *delivery) error {
	if d.old {
		return nil
	}
	_, err := c.Write(appendHead(nil, &c.res))
	return err
}

// drop ends a connection to a backend that cannot be used again.
func (c *conn) drop(d *delivery) {
	c.watch.detach()
	if d.up != nil {
		d.up.Close()
		d.up = nil
	}
}

// explain answers for a backend that did not.
func (c *conn) explain(d *delivery) bool {
	c.drop(d)
	uploadErr := d.upload.stop(c)
	switch c.watch.why() {
	case endedTimeout:
		c.x.outcome = outcomeTimeout
		c.fail("504 Gateway Timeout", "the service did not answer in time")
		return false
	case endedAborted:
		c.x.outcome = outcomeAborted
		return false
	}
	if errors.Is(uploadErr, http1.ErrSyntax) {
		c.x.outcome = outcomeAborted
		return c.refuse(uploadErr)
	}
	if c.x.outcome != outcomeConnect {
		c.x.outcome = outcomeTransport
	}
	return c.apologize(d, "502 Bad Gateway", "the service did not answer")
}

// apologize answers with an error of the router's own, and says whether the
// connection can carry another request.
func (c *conn) apologize(d *delivery, status, text string) bool {
	c.out = appendError(c.out[:0], status, text, !d.reusable())
	if _, err := c.Write(c.out); err != nil {
		return false
	}
	if !d.reusable() {
		c.linger()
		return false
	}
	return true
}

// reusable says whether the client's connection can carry another request after
// an answer that came from the router itself.
func (d *delivery) reusable() bool { return d.keepAlive && !d.unread && d.method != "HEAD" }

// answer passes the answer on, whose head was just parsed.
func (c *conn) answer(d *delivery) bool {
	c.x.answered(c.res.Status)
	if c.res.Status == 101 {
		return c.tunnel(d)
	}
	c.enter(phaseAnswering, c.x.started)
	c.x.holdBack()
	body := c.res.HasBody([]byte(d.method))
	if body && c.res.Length == http1.Unbounded && !c.res.Chunked || c.plane.lastAnswer(c) {
		d.keepAlive = false
	}
	c.out = c.appendAnswer(c.out[:0], d, body)
	if c.res.EventStream {
		c.x.count()
	}
	whole, err := c.relay(d, body)
	if err != nil {
		c.blame(err)
		c.drop(d)
		d.upload.stop(c)
		return false
	}
	if d.upload != nil && !d.upload.finish(c, d) {
		return false
	}
	c.release(d, whole)
	return d.keepAlive
}

// release keeps the backend's connection for the next request, if it can.
func (c *conn) release(d *delivery, whole bool) {
	if c.watch.detach() != endedNot || !whole || c.res.Close || d.old || d.up.r != d.up.w {
		d.up.Close()
		return
	}
	c.x.backend.give(d.up)
}

// blame counts an answer that broke off. Where the client went away the status
// that it was given stands.
func (c *conn) blame(err error) {
	var b *backendError
	if errors.As(err, &b) && c.watch.why() != endedAborted {
		c.x.outcome = outcomeTransport
	}
}

// backendError is a failure to read what a backend sends.
type backendError struct{ err error }

func (e *backendError) Error() string { return e.err.Error() }
func (e *backendError) Unwrap() error { return e.err }

func idempotent(method []byte) bool {
	switch string(method) {
	case "GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE":
		return true
	}
	return false
}
