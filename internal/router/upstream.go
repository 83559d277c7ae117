package router

import (
	"errors"
	"io"
	"net"
	"time"

	"github.com/fairwayhq/fairway/internal/router/http1"
)

const (
	firstBuffer = 4 << 10
	// maxHead is how long the head of a message may be.
	maxHead = 64 << 10
)

var errHeadTooLong = errors.New("the head is too long")

// input is a connection with what was read of it but not yet used.
type input struct {
	net.Conn
	buf  []byte
	r, w int
}

func newInput(c net.Conn) input { return input{Conn: c, buf: make([]byte, firstBuffer)} }

func (in *input) buffered() []byte { return in.buf[in.r:in.w] }

// fill reads once more; what is buffered stays.
func (in *input) fill() error {
	if in.r == in.w {
		in.r, in.w = 0, 0
	}
	if in.w == len(in.buf) {
		if in.r == 0 && len(in.buf) >= maxHead {
			return errHeadTooLong
		}
		into := in.buf
		if in.r < len(in.buf)/2 {
			into = make([]byte, 2*len(in.buf))
		}
		in.w = copy(into, in.buf[in.r:in.w])
		in.r, in.buf = 0, into
	}
	n, err := in.Conn.Read(in.buf[in.w:])
	in.w += n
	if n > 0 {
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

// head returns the next head, which stays valid until the next fill, and uses it up.
func (in *input) head() ([]byte, error) {
	for {
		if n := http1.HeadEnd(in.buffered()); n > 0 {
			h := in.buf[in.r : in.r+n]
			in.r += n
			return h, nil
		}
		if err := in.fill(); err != nil {
			return nil, err
		}
	}
}

// upstream is one connection to a backend.
type upstream struct {
	input
	// used: it has carried a request before.
	used      bool
	idleSince time.Time
}

func (b *backend) dial() (*upstream, error) {
	c, err := net.DialTimeout("tcp", b.address, dialTimeout)
	if err != nil {
		b.failed.Store(time.Now().UnixNano())
		return nil, err
	}
	return &upstream{input: newInput(c)}, nil
}

// trusted is how long an idle connection is taken to be open without a look.
const trusted = 500 * time.Millisecond

// take returns an idle connection, or nil. One that has been idle for long, or
// that is to carry what cannot be sent twice, is looked at before.
func (b *backend) take(now time.Time, careful bool) *upstream {
	for {
		u := b.idle.pop()
		if u == nil || !careful && now.Sub(u.idleSince) < trusted {
			return u
		}
		if !readable(u.Conn) { // what an idle connection has to say is goodbye
			return u
		}
		u.Close()
	}
}

// give returns a connection after an answer that leaves it open and empty.
func (b *backend) give(u *upstream) {
	u.used, u.idleSince = true, time.Now()
	if !b.idle.push(u) {
		u.Close()
	}
}
