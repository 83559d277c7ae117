package router

import (
	"io"
	"time"

	"github.com/fairwayhq/fairway/internal/router/http1"
)

// upload is the part of a request's body that had not arrived with its head. It
// is passed on while the answer is already awaited.
type upload struct {
	left    int64
	chunked bool
	chunks  http1.Chunks
	done    chan struct{}
	err     error // valid once done is closed
}

// takeBody moves what has arrived of the body to the end of c.out and returns
// what is to follow, or nil.
func (c *conn) takeBody() (*upload, error) {
	if c.req.Chunked {
		u := &upload{chunked: true, done: make(chan struct{})}
		n, err := u.chunks.Next(c.buffered())
		c.out = append(c.out, c.buffered()[:n]...)
		c.r += n
		if err != nil || u.chunks.Done() {
			return nil, err
		}
		return u, nil
	}
	n := min(int64(len(c.buffered())), c.req.Length)
	c.out = append(c.out, c.buffered()[:n]...)
	c.r += int(n)
	if n == c.req.Length {
		return nil, nil
	}
	return &upload{left: c.req.Length - n, done: make(chan struct{})}, nil
}

func (u *upload) start(c *conn, up *upstream) {
	go func() {
		defer close(u.done)
		u.err = u.run(c, up)
		if u.err == nil {
			c.watch.move(phaseUploading, phaseWaiting, time.Now())
		}
	}()
}

// run passes the body on. A client that breaks off, or sends what is no body,
// ends the whole exchange; a backend that takes no more may still answer.
func (u *upload) run(c *conn, up *upstream) error {
	for !u.over() {
		if err := c.fill(); err != nil {
			if !isTimeout(err) {
				c.watch.end(endedAborted)
			}
			return err
		}
		n, err := u.take(c.buffered())
		if err != nil {
			up.Close()
			return err
		}
		c.watch.move(phaseUploading, phaseSending, time.Now())
		if _, err := up.Write(c.buffered()[:n]); err != nil {
			return err
		}
		c.watch.move(phaseSending, phaseUploading, time.Now())
		c.r += n
	}
	return nil
}

func (u *upload) over() bool {
	if u.chunked {
		return u.chunks.Done()
	}
	return u.left == 0
}

func (u *upload) take(p []byte) (int, error) {
	if u.chunked {
		return u.chunks.Next(p)
	}
	n := min(int64(len(p)), u.left)
	u.left -= n
	return int(n), nil
}

// stop ends an upload whose backend's connection is closed; nil is none.
func (u *upload) stop(c *conn) error {
	if u == nil {
		return nil
	}
	c.SetReadDeadline(time.Now())
	<-u.done
	c.SetReadDeadline(time.Time{})
	return u.err
}

// finish waits for the rest of an upload whose answer is complete. Mostly there
// is none; a backend that answered early gets a second to take it.
func (u *upload) finish(c *conn, d *delivery) bool {
	late := time.NewTimer(time.Second)
	defer late.Stop()
	select {
	case <-u.done:
	case <-late.C:
	}
	select {
	case <-u.done:
		if u.err == nil {
			return true
		}
	default:
	}
	c.drop(d)
	if err := u.stop(c); err != nil && err != io.EOF {
		c.linger()
	}
	return false
}
