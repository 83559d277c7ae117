package router

import (
	"errors"
	"io"
	"sync"

	"github.com/fairwayhq/fairway/internal/router/http1"
)

// copyBuffers are for bodies that do not fit beside their head.
var copyBuffers = sync.Pool{New: func() any { b := make([]byte, 32<<10); return &b }}

// relay writes the answer's head, which is in c.out, and its body, whatever has
// arrived at a time. It says whether the body ended before its connection did.
func (c *conn) relay(d *delivery, body bool) (whole bool, err error) {
	switch {
	case !body:
		_, err = c.Write(c.out)
		return true, err
	case c.res.Chunked:
		return true, c.relayChunks(d)
	case c.res.Length == http1.Unbounded:
		return false, c.relayRest(d)
	default:
		return true, c.relayLength(d, c.res.Length)
	}
}

func (c *conn) relayLength(d *delivery, left int64) error {
	now := d.up.buffered()
	now = now[:min(int64(len(now)), left)]
	d.up.r += len(now)
	left -= int64(len(now))
	c.out = append(c.out, now...)
	if _, err := c.Write(c.out); err != nil || left == 0 {
		return err
	}
	return c.copyBody(d.up, func(p []byte) (bool, error) {
		left -= int64(len(p))
		return left <= 0, nil
	}, &left)
}

// relayChunks passes the chunks on as they are, their trailers included.
func (c *conn) relayChunks(d *delivery) error {
	var chunks http1.Chunks
	n, err := chunks.Next(d.up.buffered())
	if err != nil {
		return &backendError{err}
	}
	c.out = append(c.out, d.up.buffered()[:n]...)
	d.up.r += n
	if _, err := c.Write(c.out); err != nil || chunks.Done() {
		return err
	}
	return c.copyBody(d.up, func(p []byte) (bool, error) {
		n, err := chunks.Next(p)
		if err == nil && n < len(p) {
			err = errSurplus
		}
		return chunks.Done(), err
	}, nil)
}

// relayRest passes on all that comes until the backend closes.
func (c *conn) relayRest(d *delivery) error {
	c.out = append(c.out, d.up.buffered()...)
	d.up.r = d.up.w
	if _, err := c.Write(c.out); err != nil {
		return err
	}
	err := c.copyBody(d.up, func([]byte) (bool, error) { return false, nil }, nil)
	if err == errShort {
		return nil
	}
	return err
}

var (
	errShort   = &backendError{io.ErrUnexpectedEOF}
	errSurplus = errors.New("more follows the body")
)

// copyBody passes on what up sends until over says that the body has ended. It
// reads at most limit bytes, if that is given.
func (c *conn) copyBody(up *upstream, over func([]byte) (bool, error), limit *int64) error {
	pooled := copyBuffers.Get().(*[]byte)
	defer copyBuffers.Put(pooled)
	for {
		buf := *pooled
		if limit != nil {
			buf = buf[:min(int64(len(buf)), *limit)]
		}
		n, readErr := up.Read(buf)
		done, err := over(buf[:n])
		if err != nil {
			return &backendError{err}
		}
		if n > 0 {
			if _, err := c.Write(buf[:n]); err != nil {
				return err
			}
		}
		switch {
		case done:
			return nil
		case readErr == io.EOF:
			return errShort
		case readErr != nil:
			return &backendError{readErr}
		}
	}
}
