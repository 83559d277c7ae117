// Package http1 reads the heads and the chunk framing of HTTP/1.1 messages
// (RFC 9112) for a proxy. It is strict, because two parties that read one
// message differently can be played off against each other: what is ambiguous is
// refused, never repaired. It allocates nothing for an ordinary message and does
// no I/O.
//
//	if end := http1.HeadEnd(buf); end > 0 {
//		err := req.Parse(buf[:end])
//	}
//
// What it refuses: bare CR or LF, folded lines, blanks around a field's name,
// control characters, more than one Host or none, Content-Length that is
// repeated, signed or beside Transfer-Encoding, and every coding but chunked.
package http1
