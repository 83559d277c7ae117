package http1_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httputil"
	"strings"
	"testing"

	"github.com/fairwayhq/fairway/internal/router/http1"
)

// lines joins with CRLF and ends the head.
func lines(l ...string) string { return strings.Join(l, "\r\n") + "\r\n\r\n" }

func TestWhatIsAmbiguousIsRefused(t *testing.T) {
	for name, head := range map[string]string{
		"both lengths":                      lines("POST / HTTP/1.1", "Host: a", "Content-Length: 4", "Transfer-Encoding: chunked"),
		"both lengths, reversed":            lines("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked", "Content-Length: 4"),
		"two lengths":                       lines("POST / HTTP/1.1", "Host: a", "Content-Length: 4", "Content-Length: 5"),
		"the same length twice":             lines("POST / HTTP/1.1", "Host: a", "Content-Length: 4", "Content-Length: 4"),
		"a list of lengths":                 lines("POST / HTTP/1.1", "Host: a", "Content-Length: 4, 4"),
		"a signed length":                   lines("POST / HTTP/1.1", "Host: a", "Content-Length: +4"),
		"a negative length":                 lines("POST / HTTP/1.1", "Host: a", "Content-Length: -4"),
		"a hexadecimal length":              lines("POST / HTTP/1.1", "Host: a", "Content-Length: 0x4"),
		"an empty length":                   lines("POST / HTTP/1.1", "Host: a", "Content-Length:"),
		"a length beyond 64 bits":           lines("POST / HTTP/1.1", "Host: a", "Content-Length: 18446744073709551620"),
		"a coding besides chunked":          lines("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: gzip, chunked"),
		"chunked twice":                     lines("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked", "Transfer-Encoding: chunked"),
		"chunked in disguise":               lines("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: \x0bchunked"),
		"an unknown coding":                 lines("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: xchunked"),
		"chunked in HTTP/1.0":               lines("POST / HTTP/1.0", "Host: a", "Transfer-Encoding: chunked"),
		"a blank before the colon":          lines("POST / HTTP/1.1", "Host: a", "Content-Length : 4"),
		"a blank before the name":           lines("GET / HTTP/1.1", " Host: a"),
		"a folded line":                     lines("GET / HTTP/1.1", "Host: a", "X: b", " c"),
		"a bare LF":                         "GET / HTTP/1.1\nHost: a\r\n\r\n",
		"a bare LF in a field":              "GET / HTTP/1.1\r\nHost: a\r\nX: a\nContent-Length: 4\r\n\r\n",
		"a bare CR in a field":              lines("GET / HTTP/1.1", "Host: a", "X: a\rb"),
		"a NUL in a field":                  lines("GET / HTTP/1.1", "Host: a", "X: a\x00b"),
		"no host":                           lines("GET / HTTP/1.1"),
		"two hosts":                         lines("GET / HTTP/1.1", "Host: a", "Host: b"),
		"a host with a path":                lines("GET / HTTP/1.1", "Host: a/b"),
		"a host with a user":                lines("GET / HTTP/1.1", "Host: u@a"),
		"a field without a name":            lines("GET / HTTP/1.1", "Host: a", ": b"),
		"a field without a colon":           lines("GET / HTTP/1.1", "Host: a", "b"),
		"a method that is no token":         lines("G[T / HTTP/1.1", "Host: a"),
		"two blanks in the request line":    lines("GET  / HTTP/1.1", "Host: a"),
		"a control character in the target": lines("GET /\x7f HTTP/1.1", "Host: a"),
		"a tab in the request line":         lines("GET\t/ HTTP/1.1", "Host: a"),
		"no version":                        lines("GET /", "Host: a"),
		"another version":                   lines("GET / HTTP/1.2", "Host: a"),
		"a target without a slash":          lines("GET a HTTP/1.1", "Host: a"),
		"another scheme":                    lines("GET ftp://a/ HTTP/1.1", "Host: a"),
		"an unknown expectation":            lines("GET / HTTP/1.1", "Host: a", "Expect: more"),
		"a connection that is no list":      lines("GET / HTTP/1.1", "Host: a", "Connection: a b"),
		"too many fields":                   lines("GET / HTTP/1.1", "Host: a"+strings.Repeat("\r\nX: y", http1.MaxFields)),
	} {
		t.Run(name, func(t *testing.T) {
			var r http1.Request
			if err := r.Parse([]byte(head)); !errors.Is(err, http1.ErrSyntax) {
				t.Errorf("got %v, want a refusal", err)
			}
		})
	}
}

func TestARequestIsUnderstood(t *testing.T) {
	var r http1.Request
	head := lines("POST /a?b=c HTTP/1.1", "Host: shop:80", "Connection: X-Hop, Upgrade", "X-Hop: 1", "X-Keep: 2",
		"Upgrade: websocket", "Transfer-Encoding: Chunked", "Expect: 100-Continue", "TE: trailers")
	if err := r.Parse([]byte(head)); err != nil {
		t.Fatal(err)
	}
	if string(r.Method) != "POST" || string(r.Target) != "/a?b=c" || string(r.Host) != "shop:80" || r.Minor != 1 {
		t.Errorf("read %s %s of %s", r.Method, r.Target, r.Host)
	}
	if !r.Chunked || !r.Continue || !r.Trailers || string(r.Upgrade) != "websocket" || r.Close {
		t.Errorf("read %+v", r)
	}
	for _, f := range r.Fields {
		if got := r.Drops(f); got != (string(f.Name) == "X-Hop") {
			t.Errorf("field %s dropped: %v", f.Name, got)
		}
	}
}

func TestAbsoluteTargetsBecomeHostAndPath(t *testing.T) {
	for target, want := range map[string][2]string{
		"http://shop":            {"shop", "/"},
		"HTTPS://shop:8/a?b":     {"shop:8", "/a?b"},
		"http://shop/http://x/y": {"shop", "/http://x/y"},
	} {
		var r http1.Request
		if err := r.Parse([]byte(lines("GET "+target+" HTTP/1.1", "Host: other"))); err != nil {
			t.Errorf("%s: %v", target, err)
		} else if string(r.Host) != want[0] || string(r.Target) != want[1] {
			t.Errorf("%s became %s and %s", target, r.Host, r.Target)
		}
	}
}

func TestAnswersTellTheirBody(t *testing.T) {
	for _, tc := range []struct {
		head, method string
		body         bool
		length       int64
	}{
		{lines("HTTP/1.1 200 OK", "Content-Length: 5"), "GET", true, 5},
		{lines("HTTP/1.1 200 OK", "Content-Length: 5"), "HEAD", false, 5},
		{lines("HTTP/1.1 200 OK", "Content-Length: 0"), "GET", false, 0},
		{lines("HTTP/1.1 200"), "GET", true, http1.Unbounded},
		{lines("HTTP/1.1 204 No Content"), "GET", false, http1.Unbounded},
		{lines("HTTP/1.1 304 Not Modified", "Content-Length: 5"), "GET", false, 5},
		{lines("HTTP/1.1 200 OK", "Transfer-Encoding: chunked"), "GET", true, http1.Unbounded},
	} {
		var r http1.Response
		if err := r.Parse([]byte(tc.head)); err != nil {
			t.Errorf("%q: %v", tc.head, err)
		} else if r.HasBody([]byte(tc.method)) != tc.body || r.Length != tc.length {
			t.Errorf("%q to %s: body %v, length %d", tc.head, tc.method, r.HasBody([]byte(tc.method)), r.Length)
		}
	}
	for _, head := range []string{
		lines("HTTP/1.1 20 OK"), lines("HTTP/2.0 200 OK"), lines("HTTP/1.1 200OK"), lines("ICY 200 OK"),
		lines("HTTP/1.1 200 OK", "Content-Length: 5", "Transfer-Encoding: chunked"),
	} {
		var r http1.Response
		if err := r.Parse([]byte(head)); !errors.Is(err, http1.ErrSyntax) {
			t.Errorf("%q gave %v, want a refusal", head, err)
		}
	}
}

func TestChunksEndWhereTheyEnd(t *testing.T) {
	for body, want := range map[string]int{
		"0\r\n\r\nGET":          5,
		"3\r\nabc\r\n0\r\n\r\n": 13,
		"A;x=y\r\n0123456789\r\n0\r\nX-Sum: 1\r\n\r\n": len("A;x=y\r\n0123456789\r\n0\r\nX-Sum: 1\r\n\r\n"),
	} {
		for step := 1; step <= len(body); step++ {
			var c http1.Chunks
			total := 0
			for p := []byte(body); len(p) > 0 && !c.Done(); {
				n, err := c.Next(p[:min(step, len(p))])
				if err != nil {
					t.Fatalf("%q in steps of %d: %v", body, step, err)
				}
				total += n
				p = p[n:]
			}
			if total != want || !c.Done() {
				t.Errorf("%q in steps of %d ended after %d, want %d", body, step, total, want)
			}
		}
	}
	for _, body := range []string{
		"\r\n", "g\r\n", "3\nabc\r\n", "3\r\nabcd\r\n", "3\r\nabc\n0\r\n\r\n", "-1\r\n", "0x3\r\n", " 3\r\n", "3 \r\n",
		"fffffffffffffffff\r\n", "3;a\nb\r\n", "0\r\nContent-Length: 3\r\n\r\n", "0\r\nTransfer-Encoding: chunked\r\n\r\n",
		"0\r\nHost: b\r\n\r\n", "0\r\nX : b\r\n\r\n", "0\r\n\n", "3;" + strings.Repeat("a", 5000) + "\r\n",
	} {
		var c http1.Chunks
		if _, err := c.Next([]byte(body)); !errors.Is(err, http1.ErrSyntax) {
			t.Errorf("%.40q gave %v, want a refusal", body, err)
		}
	}
}

// FuzzRequest holds the parser against net/http's: what this one accepts, the
// other must read with the same method, host and framing.
func FuzzRequest(f *testing.F) {
	f.Add([]byte(lines("GET / HTTP/1.1", "Host: a", "Connection: close")))
	f.Add([]byte(lines("POST /x HTTP/1.1", "Host: a", "Content-Length: 3")))
	f.Add([]byte(lines("POST /x HTTP/1.1", "Host: a:1", "Transfer-Encoding: chunked", "TE: trailers")))
	f.Add([]byte(lines("GET http://b/ HTTP/1.0", "Host: a", "Upgrade: h2c")))
	f.Fuzz(func(t *testing.T, data []byte) {
		end := http1.HeadEnd(data)
		var r http1.Request
		if end < 0 || r.Parse(data[:end]) != nil {
			return
		}
		want, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(data[:end])))
		if err != nil {
			// net/http also checks the syntax of the URI, which is the backend's to judge.
			if strings.Contains(err.Error(), "parse \"") || strings.Contains(err.Error(), "invalid URI") {
				return
			}
			t.Fatalf("accepted %q, which net/http refuses: %v", data[:end], err)
		}
		length := want.ContentLength
		if chunked := len(want.TransferEncoding) > 0; chunked != r.Chunked {
			t.Fatalf("%q: chunked is %v, net/http says %v", data[:end], r.Chunked, chunked)
		} else if !chunked && length != r.Length {
			t.Fatalf("%q: the length is %d, net/http says %d", data[:end], r.Length, length)
		}
		if want.Method != string(r.Method) {
			t.Fatalf("%q: the method is %s, net/http says %s", data[:end], r.Method, want.Method)
		}
	})
}

// FuzzChunks holds the chunk framing against net/http's reader.
func FuzzChunks(f *testing.F) {
	f.Add([]byte("3\r\nabc\r\n0\r\n\r\nrest"), 2)
	f.Add([]byte("A;x\r\n0123456789\r\n0\r\nX: y\r\n\r\n"), 7)
	f.Fuzz(func(t *testing.T, data []byte, step int) {
		step = max(1, step%64)
		var c http1.Chunks
		total := 0
		for p := data; len(p) > 0 && !c.Done(); {
			n, err := c.Next(p[:min(step, len(p))])
			if err != nil {
				return
			}
			total += n
			p = p[n:]
		}
		if !c.Done() {
			return
		}
		var once http1.Chunks
		if n, err := once.Next(data); err != nil || n != total {
			t.Fatalf("%q ends after %d in one step and after %d in steps of %d (%v)", data, n, total, step, err)
		}
		if _, err := io.Copy(io.Discard, httputil.NewChunkedReader(bytes.NewReader(data[:total]))); err != nil {
			t.Fatalf("accepted %q, which net/http refuses: %v", data[:total], err)
		}
	})
}
