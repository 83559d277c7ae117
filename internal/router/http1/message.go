package http1

import "bytes"

// Unbounded is the length of a body that ends with its connection.
const Unbounded = -1

// Request is the head of a request. Its slices point into the parsed buffer.
type Request struct {
	Method []byte
	// Target is in origin form, or "*".
	Target []byte
	// Host is the authority asked for; empty for some HTTP/1.0 clients.
	Host []byte
	// Minor is the 1 or 0 of HTTP/1.1 and HTTP/1.0.
	Minor   int
	Fields  []Field
	options // what Connection says

	// Length is the body's, if it is not chunked.
	Length  int64
	Chunked bool
	// Upgrade is the protocol that the client would change to; nil if none.
	Upgrade []byte
	// Continue: the client waits for 100 before it sends the body.
	Continue bool
	// Trailers: the client takes trailers.
	Trailers bool
}

// Parse reads a whole head, as long as HeadEnd says.
func (r *Request) Parse(head []byte) error {
	*r = Request{Fields: r.Fields[:0], options: options{named: r.named[:0]}}
	line, rest, err := nextLine(head)
	if err != nil {
		return err
	}
	if err := r.parseLine(line); err != nil {
		return err
	}
	if r.Fields, err = parseFields(rest, r.Fields); err != nil {
		return err
	}
	return r.interpret()
}

func (r *Request) parseLine(line []byte) error {
	method, rest, ok := bytes.Cut(line, []byte{' '})
	if !ok || !isToken(method) {
		return syntaxError("the method is not a token")
	}
	target, version, ok := bytes.Cut(rest, []byte{' '})
	if !ok || len(target) == 0 || !all(target, inTarget) {
		return syntaxError("the request's target is not a URI")
	}
	switch string(version) {
	case "HTTP/1.1":
		r.Minor = 1
	case "HTTP/1.0":
	default:
		return syntaxError("the version is not HTTP/1.1 or HTTP/1.0")
	}
	r.Method, r.Target = method, target
	return nil
}

func (r *Request) interpret() error {
	var f framing
	hosts := 0
	for _, field := range r.Fields {
		switch field.Kind {
		case Host:
			hosts++
			r.Host = field.Value
		case Connection:
			if err := r.options.read(field.Value); err != nil {
				return err
			}
		case Upgrade:
			r.Upgrade = field.Value
		case Expect:
			if !EqualFold(field.Value, "100-continue") {
				return syntaxError("the expectation is unknown")
			}
			r.Continue = true
		case TE:
			r.Trailers = r.Trailers || EqualFold(field.Value, "trailers")
		default:
			if err := f.read(field); err != nil {
				return err
			}
		}
	}
	if hosts > 1 || hosts == 0 && r.Minor == 1 || !all(r.Host, inHost) {
		return syntaxError("there is not exactly one valid Host")
	}
	if !r.options.upgrade {
		r.Upgrade = nil
	}
	if f.chunked && r.Minor == 0 {
		return syntaxError("HTTP/1.0 has no Transfer-Encoding")
	}
	r.Length, r.Chunked = max(f.length(), 0), f.chunked
	return r.originForm()
}

// originForm turns http://host/path, which proxies must understand, into /path.
func (r *Request) originForm() error {
	switch {
	case r.Target[0] == '/':
		return nil
	case string(r.Target) == "*" && string(r.Method) == "OPTIONS":
		return nil
	}
	_, rest, ok := bytes.Cut(r.Target, []byte("://"))
	scheme := r.Target[:len(r.Target)-len(rest)]
	if !ok || !EqualFold(scheme, "http://") && !EqualFold(scheme, "https://") {
		return syntaxError("the request's target has an unknown form")
	}
	slash := bytes.IndexAny(rest, "/?#")
	if slash < 0 {
		r.Host, r.Target = rest, []byte("/")
	} else {
		r.Host, r.Target = rest[:slash], rest[slash:]
	}
	if len(r.Host) == 0 || !all(r.Host, inHost) || r.Target[0] != '/' {
		return syntaxError("the request's target has no valid host and path")
	}
	return nil
}

// Response is the head of an answer. Its slices point into the parsed buffer.
type Response struct {
	Status  int
	Reason  []byte
	Minor   int
	Fields  []Field
	options // what Connection says

	// Length is the body's, if it is not chunked, as far as the head tells:
	// Unbounded where it names none. See HasBody.
	Length  int64
	Chunked bool
	// Upgrade is the protocol of a 101; nil otherwise.
	Upgrade []byte
	// EventStream: the body is a stream of server-sent events.
	EventStream bool
}

// Parse reads a whole head, as long as HeadEnd says.
func (r *Response) Parse(head []byte) error {
	*r = Response{Fields: r.Fields[:0], options: options{named: r.named[:0]}}
	line, rest, err := nextLine(head)
	if err != nil {
		return err
	}
	if err := r.parseLine(line); err != nil {
		return err
	}
	if r.Fields, err = parseFields(rest, r.Fields); err != nil {
		return err
	}
	return r.interpret()
}

func (r *Response) parseLine(line []byte) error {
	const form = "HTTP/1.1 200"
	if len(line) < len(form) || string(line[:7]) != "HTTP/1." || line[8] != ' ' {
		return syntaxError("the status line is not of HTTP/1.1")
	}
	switch line[7] {
	case '1':
		r.Minor = 1
	case '0':
	default:
		return syntaxError("the version is not HTTP/1.1 or HTTP/1.0")
	}
	for _, c := range line[9:12] {
		if c < '0' || c > '9' {
			return syntaxError("the status is not a number")
		}
		r.Status = r.Status*10 + int(c-'0')
	}
	rest := line[12:]
	if r.Status < 100 || r.Status > 999 || len(rest) > 0 && rest[0] != ' ' || !all(rest, inValue) {
		return syntaxError("the status line is not valid")
	}
	r.Reason = trim(rest)
	return nil
}

func (r *Response) interpret() error {
	var f framing
	for _, field := range r.Fields {
		switch field.Kind {
		case Connection:
			if err := r.options.read(field.Value); err != nil {
				return err
			}
		case Upgrade:
			r.Upgrade = field.Value
		case ContentType:
			t, _, _ := bytes.Cut(field.Value, []byte{';'})
			r.EventStream = EqualFold(trim(t), "text/event-stream")
		default:
			if err := f.read(field); err != nil {
				return err
			}
		}
	}
	if f.chunked && r.Minor == 0 {
		return syntaxError("HTTP/1.0 has no Transfer-Encoding")
	}
	if r.Minor == 0 && !r.KeepAlive {
		r.Close = true
	}
	if r.Status != 101 || !r.options.upgrade {
		r.Upgrade = nil
	}
	r.Length, r.Chunked = f.length(), f.chunked
	return nil
}

// HasBody says whether a body follows the head of an answer to the method.
func (r *Response) HasBody(method []byte) bool {
	return string(method) != "HEAD" && r.Status >= 200 && r.Status != 204 && r.Status != 304 &&
		(r.Chunked || r.Length != 0)
}

// framing is how long a body is, from the fields that say so.
type framing struct {
	lengths int
	n       int64
	chunked bool
}

func (f *framing) read(field Field) (err error) {
	switch field.Kind {
	case ContentLength:
		f.lengths++
		f.n, err = parseLength(field.Value)
	case TransferEncoding:
		if f.chunked || !EqualFold(field.Value, "chunked") {
			return syntaxError("Transfer-Encoding is not chunked")
		}
		f.chunked = true
	}
	if err == nil && (f.lengths > 1 || f.lengths > 0 && f.chunked) {
		return syntaxError("the body's length is ambiguous")
	}
	return err
}

func (f *framing) length() int64 {
	if f.lengths == 0 {
		return Unbounded
	}
	return f.n
}
