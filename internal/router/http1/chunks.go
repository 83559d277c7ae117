package http1

// Chunks follows a chunked body (RFC 9112 §7.1) so that it can be passed on as
// it is. Its zero value stands before the first chunk.
type Chunks struct {
	state   chunkState
	left    uint64 // data bytes to come, in stateData
	digits  int
	line    int // bytes of the present line, to bound it
	trailer []byte
}

type chunkState uint8

const (
	stateSize chunkState = iota
	stateExtension
	stateSizeLF
	stateData
	stateDataCR
	stateDataLF
	stateTrailer
	stateDone
)

const (
	// maxChunkLine bounds a chunk's size line with its extensions.
	maxChunkLine = 1024
	// maxTrailer bounds all trailers.
	maxTrailer = 16 << 10
)

// Done says whether the body is over.
func (c *Chunks) Done() bool { return c.state == stateDone }

// Next follows p and returns how many of its bytes belong to the body: all,
// unless the body ends within p. Trailers that would change the framing are refused.
func (c *Chunks) Next(p []byte) (n int, err error) {
	for n < len(p) && c.state != stateDone {
		if c.state == stateData {
			take := min(uint64(len(p)-n), c.left)
			n += int(take)
			if c.left -= take; c.left == 0 {
				c.state = stateDataCR
			}
			continue
		}
		if err := c.step(p[n]); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

func (c *Chunks) step(b byte) error {
	switch c.state {
	case stateSize:
		return c.size(b)
	case stateExtension:
		return c.extension(b)
	case stateSizeLF:
		return c.sizeEnd(b)
	case stateDataCR:
		c.state = stateDataLF
		return want(b, '\r')
	case stateDataLF:
		c.state, c.digits, c.line = stateSize, 0, 0
		return want(b, '\n')
	default:
		return c.trail(b)
	}
}

func (c *Chunks) size(b byte) error {
	if d, ok := hexDigit(b); ok {
		if c.digits++; c.digits > 15 {
			return syntaxError("a chunk is too large")
		}
		c.left = c.left<<4 | uint64(d)
		return nil
	}
	if c.digits == 0 {
		return syntaxError("a chunk has no size")
	}
	switch b {
	case '\r':
		c.state = stateSizeLF
		return nil
	case ';':
		c.state = stateExtension
		return nil
	}
	return syntaxError("a chunk's size is not a number")
}

func (c *Chunks) extension(b byte) error {
	if b == '\r' {
		c.state = stateSizeLF
		return nil
	}
	if c.line++; c.line > maxChunkLine || classes[b]&inValue == 0 {
		return syntaxError("a chunk's extension is too long or has a control character")
	}
	return nil
}

func (c *Chunks) sizeEnd(b byte) error {
	c.state = stateData
	if c.left == 0 {
		c.state = stateTrailer
		c.trailer = c.trailer[:0]
	}
	return want(b, '\n')
}

// trail collects the trailers with their blank line and reads them at the end.
func (c *Chunks) trail(b byte) error {
	if len(c.trailer) == maxTrailer {
		return syntaxError("the trailers are too long")
	}
	c.trailer = append(c.trailer, b)
	n := len(c.trailer)
	switch {
	case b != '\n':
		return nil
	case n < 2 || c.trailer[n-2] != '\r':
		return syntaxError("a trailer does not end with CRLF")
	case n == 2:
		c.state = stateDone
		return nil
	case n < 4 || string(c.trailer[n-4:]) != "\r\n\r\n":
		return nil
	}
	c.state = stateDone
	fields, err := parseFields(c.trailer, nil)
	for _, f := range fields {
		if f.Kind != Other {
			return syntaxError("a trailer is not allowed: " + string(f.Name))
		}
	}
	return err
}

func want(got, wanted byte) error {
	if got != wanted {
		return syntaxError("a chunk does not end with CRLF")
	}
	return nil
}

func hexDigit(b byte) (byte, bool) {
	switch {
	case b >= '0' && b <= '9':
		return b - '0', true
	case b >= 'a' && b <= 'f':
		return b - 'a' + 10, true
	case b >= 'A' && b <= 'F':
		return b - 'A' + 10, true
	}
	return 0, false
}
