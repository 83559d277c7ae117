package http1

import (
	"bytes"
	"errors"
)

// ErrSyntax is the refusal of a message; the wrapped text says why.
var ErrSyntax = errors.New("malformed HTTP message")

type syntaxError string

func (e syntaxError) Error() string        { return "malformed HTTP message: " + string(e) }
func (e syntaxError) Is(target error) bool { return target == ErrSyntax }

// MaxFields is how many fields a head may have.
const MaxFields = 256

// Kind is what a proxy does with a field.
type Kind uint8

// The kinds of fields.
const (
	// Other fields are passed on.
	Other Kind = iota
	Host
	Connection
	ContentLength
	TransferEncoding
	Upgrade
	TE
	Expect
	// Hop fields mean only the next hop and are never passed on.
	Hop
	ForwardedFor
	ForwardedProto
	ForwardedHost
	Cookie
	ContentType
)

// Field is one line of a head. Its slices point into the parsed buffer.
type Field struct {
	Kind  Kind
	Name  []byte
	Value []byte
}

var blankLine = []byte("\r\n\r\n")

// HeadEnd returns the length of the head at the start of buf, its blank line
// included, or -1 if it is not complete.
func HeadEnd(buf []byte) int {
	i := bytes.Index(buf, blankLine)
	if i < 0 {
		return -1
	}
	return i + len(blankLine)
}

// nextLine cuts the line off that ends with CRLF.
func nextLine(p []byte) (line, rest []byte, err error) {
	i := bytes.IndexByte(p, '\n')
	if i < 1 || p[i-1] != '\r' {
		return nil, nil, syntaxError("a line does not end with CRLF")
	}
	return p[:i-1], p[i+1:], nil
}

// parseFields reads the lines up to the blank line, which must be the end of p.
func parseFields(p []byte, fields []Field) ([]Field, error) {
	for {
		line, rest, err := nextLine(p)
		if err != nil {
			return fields, err
		}
		if len(line) == 0 {
			if len(rest) != 0 {
				return fields, syntaxError("more follows the head")
			}
			return fields, nil
		}
		if len(fields) == MaxFields {
			return fields, syntaxError("too many fields")
		}
		f, err := parseField(line)
		if err != nil {
			return fields, err
		}
		fields = append(fields, f)
		p = rest
	}
}

func parseField(line []byte) (Field, error) {
	colon := bytes.IndexByte(line, ':')
	if colon <= 0 {
		return Field{}, syntaxError("a field has no name")
	}
	name := line[:colon]
	if !isToken(name) {
		return Field{}, syntaxError("a field's name is not a token")
	}
	value := trim(line[colon+1:])
	for _, c := range value {
		if classes[c]&inValue == 0 {
			return Field{}, syntaxError("a field's value has a control character")
		}
	}
	return Field{Kind: kindOf(name), Name: name, Value: value}, nil
}

const (
	inToken = 1 << iota
	inValue
	inTarget
	inHost
)

var classes = makeClasses()

func makeClasses() (t [256]uint8) {
	for c := range 256 {
		alnum := c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if alnum || c < 0x80 && bytes.IndexByte([]byte("!#$%&'*+-.^_`|~"), byte(c)) >= 0 {
			t[c] |= inToken
		}
		if c == '\t' || c >= ' ' && c != 0x7f {
			t[c] |= inValue
		}
		if c > ' ' && c < 0x7f {
			t[c] |= inTarget
		}
		if alnum || c < 0x80 && bytes.IndexByte([]byte("-._~!$&'()*+,;=:[]%"), byte(c)) >= 0 {
			t[c] |= inHost
		}
	}
	return t
}

func isToken(p []byte) bool { return len(p) > 0 && all(p, inToken) }

func all(p []byte, class uint8) bool {
	for _, c := range p {
		if classes[c]&class == 0 {
			return false
		}
	}
	return true
}

// trim takes blanks and tabs off both ends.
func trim(p []byte) []byte {
	for len(p) > 0 && (p[0] == ' ' || p[0] == '\t') {
		p = p[1:]
	}
	for len(p) > 0 && (p[len(p)-1] == ' ' || p[len(p)-1] == '\t') {
		p = p[:len(p)-1]
	}
	return p
}

func kindOf(name []byte) Kind {
	switch len(name) {
	case 2:
		return when(name, "te", TE)
	case 4:
		return when(name, "host", Host)
	case 6:
		return either(name, "expect", Expect, "cookie", Cookie)
	case 7:
		return when(name, "upgrade", Upgrade)
	case 10:
		return either(name, "connection", Connection, "keep-alive", Hop)
	case 12:
		return when(name, "content-type", ContentType)
	case 14:
		return when(name, "content-length", ContentLength)
	case 15:
		return when(name, "x-forwarded-for", ForwardedFor)
	case 16:
		return either(name, "x-forwarded-host", ForwardedHost, "proxy-connection", Hop)
	case 17:
		if k := when(name, "x-forwarded-proto", ForwardedProto); k != Other {
			return k
		}
		return when(name, "transfer-encoding", TransferEncoding)
	case 18:
		return when(name, "proxy-authenticate", Hop)
	case 19:
		return when(name, "proxy-authorization", Hop)
	}
	return Other
}

func when(name []byte, lower string, k Kind) Kind {
	if EqualFold(name, lower) {
		return k
	}
	return Other
}

func either(name []byte, a string, ka Kind, b string, kb Kind) Kind {
	if k := when(name, a, ka); k != Other {
		return k
	}
	return when(name, b, kb)
}

// EqualFold says whether p is lower, which is lower-case ASCII, in any case.
func EqualFold(p []byte, lower string) bool {
	if len(p) != len(lower) {
		return false
	}
	for i, c := range p {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// parseLength reads a Content-Length: digits only.
func parseLength(p []byte) (int64, error) {
	if len(p) == 0 || len(p) > 18 {
		return 0, syntaxError("Content-Length is not a number")
	}
	var n int64
	for _, c := range p {
		if c < '0' || c > '9' {
			return 0, syntaxError("Content-Length is not a number")
		}
		n = n*10 + int64(c-'0')
	}
	return n, nil
}

// options are what the Connection fields of a head say.
type options struct {
	// Close: the connection ends with this message.
	Close bool
	// KeepAlive: the sender, of HTTP/1.0, would keep the connection.
	KeepAlive bool
	upgrade   bool
	// named are the fields that mean only the next hop.
	named [][]byte
}

func (o *options) read(value []byte) error {
	for len(value) > 0 {
		var t []byte
		t, value = cutComma(value)
		switch {
		case len(t) == 0:
		case !isToken(t):
			return syntaxError("Connection is not a list of tokens")
		case EqualFold(t, "close"):
			o.Close = true
		case EqualFold(t, "keep-alive"):
			o.KeepAlive = true
		case EqualFold(t, "upgrade"):
			o.upgrade = true
		default:
			o.named = append(o.named, t)
		}
	}
	return nil
}

func cutComma(p []byte) (first, rest []byte) {
	if i := bytes.IndexByte(p, ','); i >= 0 {
		return trim(p[:i]), p[i+1:]
	}
	return trim(p), nil
}

// Drops says whether a field of kind Other is not to be passed on because the
// sender named it in Connection.
func (o *options) Drops(f Field) bool {
	for _, n := range o.named {
		if bytes.EqualFold(n, f.Name) {
			return true
		}
	}
	return false
}
