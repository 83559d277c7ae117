package router

import (
	"io"
	"time"
)

// tunnel passes bytes both ways after a change of protocol, until both sides
// have ended. The request was over, and is counted, with the answer's head.
func (c *conn) tunnel(d *delivery) bool {
	defer c.drop(d)
	if !d.upgrade || c.res.Upgrade == nil {
		c.x.outcome = outcomeTransport
		c.fail("502 Bad Gateway", "the service changed the protocol unasked")
		return false
	}
	c.x.count()
	c.enter(phaseTunnel, time.Now())
	c.out = appendStatus(c.out[:0], &c.res)
	c.out = c.appendFields(c.out)
	c.out = append(c.out, "Connection: Upgrade\r\n"...)
	c.out = append(appendField(c.out, "Upgrade", c.res.Upgrade), crlf...)
	c.out = append(c.out, d.up.buffered()...)
	if _, err := c.Write(c.out); err != nil {
		return false
	}
	if _, err := d.up.Write(c.buffered()); err != nil {
		return false
	}
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		pipe(d.up, c)
	}()
	pipe(c, d.up)
	<-sent
	return false
}

// half is one side of a tunnel.
type half interface {
	io.ReadWriter
	Close() error
}

// pipe copies until from ends and then tells to so; what breaks ends both.
func pipe(to, from half) {
	_, err := io.Copy(plainConn(to), plainConn(from))
	w, ok := plainConn(to).(interface{ CloseWrite() error })
	if err != nil || !ok || w.CloseWrite() != nil {
		to.Close()
		from.Close()
	}
}

// plainConn returns the connection itself, whose copy the kernel can do.
func plainConn(h half) half {
	switch v := h.(type) {
	case *conn:
		return v.Conn
	case *upstream:
		return v.Conn
	}
	return h
}
