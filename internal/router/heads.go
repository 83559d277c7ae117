package router

import (
	"bytes"
	"strconv"

	"github.com/fairwayhq/fairway/internal/router/http1"
)

// appendRequest writes the head that the backend gets: the client's, without
// what means only the client's own connection, and with where it came from.
func (c *conn) appendRequest(out []byte) []byte {
	r := &c.req
	out = append(out, r.Method...)
	out = append(out, ' ')
	out = append(out, r.Target...)
	if r.Minor == 0 {
		out = append(out, " HTTP/1.0\r\nConnection: close\r\n"...)
	} else {
		out = append(out, " HTTP/1.1\r\n"...)
	}
	out = appendField(out, "Host", r.Host)
	for i := range r.Fields {
		switch f := &r.Fields[i]; f.Kind {
		case http1.Other:
			if !r.Drops(*f) {
				out = appendLine(out, f)
			}
		case http1.ContentLength, http1.ContentType, http1.Cookie, http1.Expect:
			out = appendLine(out, f)
		}
	}
	switch {
	case r.Upgrade != nil:
		out = append(out, "Connection: Upgrade\r\n"...)
		out = appendField(out, "Upgrade", r.Upgrade)
	case r.Trailers:
		out = append(out, "Connection: TE\r\nTE: trailers\r\n"...)
	}
	if r.Chunked {
		out = append(out, "Transfer-Encoding: chunked\r\n"...)
	}
	return append(c.appendForwarded(out), crlf...)
}

func (c *conn) appendForwarded(out []byte) []byte {
	out = append(out, "X-Forwarded-For: "...)
	for i := range c.req.Fields {
		if f := &c.req.Fields[i]; f.Kind == http1.ForwardedFor && len(f.Value) > 0 {
			out = append(out, f.Value...)
			out = append(out, ", "...)
		}
	}
	out = append(out, c.peer...)
	out = append(out, "\r\nX-Forwarded-Host: "...)
	out = append(out, c.req.Host...)
	if c.tls {
		return append(out, "\r\nX-Forwarded-Proto: https\r\n"...)
	}
	return append(out, "\r\nX-Forwarded-Proto: http\r\n"...)
}

// appendAnswer writes the head that the client gets.
func (c *conn) appendAnswer(out []byte, d *delivery, body bool) []byte {
	out = appendStatus(out, &c.res)
	out = c.appendFields(out)
	if body && c.res.Chunked {
		out = append(out, "Transfer-Encoding: chunked\r\n"...)
	}
	if !d.keepAlive {
		out = append(out, "Connection: close\r\n"...)
	}
	return append(out, crlf...)
}

// appendFields writes the answer's fields and those that the router adds.
func (c *conn) appendFields(out []byte) []byte {
	r := &c.res
	for i := range r.Fields {
		f := &r.Fields[i]
		switch f.Kind {
		case http1.Hop, http1.Connection, http1.TransferEncoding, http1.Upgrade, http1.TE:
			continue
		}
		if r.Drops(*f) || c.plane.revisionHeader && bytes.EqualFold(f.Name, revisionHeaderName) {
			continue
		}
		out = appendLine(out, f)
	}
	if c.x.cookie != "" {
		out = append(out, "Set-Cookie: "...)
		out = append(append(out, c.x.cookie...), crlf...)
	}
	if c.plane.revisionHeader {
		out = append(out, RevisionHeader+": "...)
		out = append(append(out, c.x.arm.revision...), crlf...)
	}
	return out
}

var revisionHeaderName = []byte(RevisionHeader)

// appendHead writes the head of a 1xx as it came.
func appendHead(out []byte, r *http1.Response) []byte {
	out = appendStatus(out, r)
	for i := range r.Fields {
		if f := &r.Fields[i]; f.Kind == http1.Other && !r.Drops(*f) {
			out = appendLine(out, f)
		}
	}
	return append(out, crlf...)
}

func appendStatus(out []byte, r *http1.Response) []byte {
	out = append(out, "HTTP/1.1 "...)
	out = strconv.AppendInt(out, int64(r.Status), 10)
	out = append(out, ' ')
	out = append(out, r.Reason...)
	return append(out, crlf...)
}

func appendLine(out []byte, f *http1.Field) []byte {
	out = append(out, f.Name...)
	out = append(out, ": "...)
	out = append(out, f.Value...)
	return append(out, crlf...)
}

func appendField(out []byte, name string, value []byte) []byte {
	out = append(out, name...)
	out = append(out, ": "...)
	out = append(out, value...)
	return append(out, crlf...)
}

// appendError writes a whole answer of the router's own.
func appendError(out []byte, status, text string, closes bool) []byte {
	out = append(out, "HTTP/1.1 "...)
	out = append(out, status...)
	out = append(out, "\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: "...)
	out = strconv.AppendInt(out, int64(len(text)+1), 10)
	if closes {
		out = append(out, "\r\nConnection: close"...)
	}
	out = append(out, "\r\n\r\n"...)
	out = append(out, text...)
	return append(out, '\n')
}
