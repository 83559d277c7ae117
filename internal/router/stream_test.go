package router_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/router"
)

func TestServerSentEventsArriveAsTheyAreSent(t *testing.T) {
	p := start(t, stateDir(t))
	next := make(chan struct{})
	b := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for i := range 3 {
			fmt.Fprintf(w, "data: %d\n\n", i)
			w.(http.Flusher).Flush()
			<-next // the next one is sent only after this one was read
		}
	}))
	url := p.put(t, whole("v1", b))
	for name, c := range map[string]*http.Client{"HTTP/1.1": client(t), "HTTP/2": h2c(t)} {
		t.Run(name, func(t *testing.T) {
			res, err := c.Get(url)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			lines := bufio.NewScanner(res.Body)
			for i := range 3 {
				if !lines.Scan() || lines.Text() != fmt.Sprintf("data: %d", i) {
					t.Fatalf("event %d is %q (%v)", i, lines.Text(), lines.Err())
				}
				lines.Scan()
				next <- struct{}{}
			}
		})
	}
	if n := p.arm(t, "v1").Requests; n != 2 {
		t.Errorf("%d streams counted, want 2", n)
	}
}

// h2c is a client that speaks HTTP/2 over cleartext.
func h2c(t *testing.T) *http.Client {
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	tr := &http.Transport{Protocols: protocols}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 20 * time.Second}
}

func TestHTTP2OverCleartext(t *testing.T) {
	p := start(t, stateDir(t))
	url := p.put(t, split(500_000, []router.Backend{instance(t, "v1")}, []router.Backend{instance(t, "v2")}))
	c, seen := h2c(t), map[string]int{}
	for range 100 {
		res, err := c.Post(url, "text/plain", strings.NewReader("body"))
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if res.ProtoMajor != 2 || res.Header.Get(router.RevisionHeader) != string(body) {
			t.Fatalf("got HTTP/%d from %q, header %q", res.ProtoMajor, body, res.Header.Get(router.RevisionHeader))
		}
		seen[string(body)]++
	}
	if seen["v1"] < 20 || seen["v2"] < 20 {
		t.Errorf("both arms should be met: %v", seen)
	}
	eventually(t, "all are counted", func() bool { return p.arm(t, "v1").Requests+p.arm(t, "v2").Requests == 100 })
}

func TestLargeBodiesPassUnchanged(t *testing.T) {
	p := start(t, stateDir(t))
	b := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sum := sha256.New()
		body, _ := io.ReadAll(io.TeeReader(r.Body, sum))
		w.Header().Set("Trailer", "X-Sum")
		w.Write(body)
		w.Header().Set("X-Sum", hex.EncodeToString(sum.Sum(nil)))
	}))
	url := p.put(t, whole("v1", b))
	payload := make([]byte, 12<<20)
	rand.New(rand.NewSource(1)).Read(payload)
	sum := sha256.Sum256(payload)
	for name, c := range map[string]*http.Client{"HTTP/1.1": client(t), "HTTP/2": h2c(t)} {
		for _, sized := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s sized=%v", name, sized), func(t *testing.T) {
				var body io.Reader = bytes.NewReader(payload)
				if !sized {
					body = io.MultiReader(body) // chunked
				}
				res, err := c.Post(url, "application/octet-stream", body)
				if err != nil {
					t.Fatal(err)
				}
				defer res.Body.Close()
				got, err := io.ReadAll(res.Body)
				if err != nil || !bytes.Equal(got, payload) {
					t.Fatalf("got %d bytes back of %d (%v)", len(got), len(payload), err)
				}
				if res.Trailer.Get("X-Sum") != hex.EncodeToString(sum[:]) {
					t.Errorf("the trailer is %q", res.Trailer)
				}
			})
		}
	}
}

func TestWebSocketBytesPassBothWays(t *testing.T) {
	p := start(t, stateDir(t))
	b := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "websocket" || r.Header.Get("Connection") != "Upgrade" {
			http.Error(w, "no upgrade", http.StatusBadRequest)
			return
		}
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello ")
		io.Copy(c, rw)
	}))
	url := p.put(t, whole("v1", b))
	c := dial(t, url)
	io.WriteString(c, "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\nearly ")
	r := bufio.NewReader(c)
	res, err := http.ReadResponse(r, nil)
	if err != nil || res.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("got %v, %v", res, err)
	}
	for _, message := range []string{"hello early ", "ping", "pong"} {
		if message != "hello early " {
			io.WriteString(c, message)
		}
		got := make([]byte, len(message))
		if _, err := io.ReadFull(r, got); err != nil || string(got) != message {
			t.Fatalf("got %q, want %q (%v)", got, message, err)
		}
	}
	if got := p.arm(t, "v1"); got.Inflight != 1 || got.Requests != 1 {
		t.Errorf("an open tunnel is %d in flight of %d", got.Inflight, got.Requests)
	}
	c.Close()
	eventually(t, "the tunnel ends", func() bool { return p.arm(t, "v1").Inflight == 0 })
}

func dial(t *testing.T, url string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(20 * time.Second))
	return c
}

func TestContinueIsTheBackendsToSay(t *testing.T) {
	p := start(t, stateDir(t))
	b := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/refused" {
			http.Error(w, "too large", http.StatusRequestEntityTooLarge)
			return
		}
		body, _ := io.ReadAll(r.Body)
		w.Write(body)
	}))
	url := p.put(t, whole("v1", b))
	for path, want := range map[string]int{"/": http.StatusContinue, "/refused": http.StatusRequestEntityTooLarge} {
		c := dial(t, url)
		r := bufio.NewReader(c)
		fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n", path)
		res, err := http.ReadResponse(r, nil)
		if err != nil || res.StatusCode != want {
			t.Fatalf("%s: got %v (%v), want %d before the body is sent", path, res, err, want)
		}
		if want != http.StatusContinue {
			continue
		}
		io.WriteString(c, "body")
		res, err = http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		if body, _ := io.ReadAll(res.Body); string(body) != "body" {
			t.Errorf("got %q after the body", body)
		}
	}
}

func TestWhatAnotherCouldReadDifferentlyNeverReachesABackend(t *testing.T) {
	p := start(t, stateDir(t))
	reached := make(chan string, 100)
	b := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { reached <- r.URL.Path }))
	url := p.put(t, whole("v1", b))
	for name, raw := range map[string]string{
		"CL.TE":            "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 30\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n",
		"two lengths":      "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 28\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n",
		"TE in disguise":   "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n",
		"a folded field":   "GET /a HTTP/1.1\r\nHost: a\r\nX: y\r\n Content-Length: 5\r\n\r\n",
		"a bare LF":        "GET /a HTTP/1.1\r\nHost: a\r\nX: y\nTransfer-Encoding: chunked\r\n\r\n",
		"an endless head":  "GET /a HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("y", 80<<10) + "\r\n\r\n",
		"CONNECT":          "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n",
		"HTTP/2 in a line": "GET /a HTTP/2.0\r\nHost: a\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			c := dial(t, url)
			go io.WriteString(c, raw)
			res, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil || res.StatusCode < 400 || res.StatusCode >= 500 || !res.Close {
				t.Errorf("got %v (%v), want a refusal that closes", res, err)
			}
		})
	}
	select {
	case path := <-reached:
		t.Errorf("a refused request reached the backend at %s", path)
	default:
	}
}

func TestABodyIsNeverReadAsARequest(t *testing.T) {
	p := start(t, stateDir(t))
	url := p.put(t, whole("v1", closedPort(t)))
	c := dial(t, url)
	io.WriteString(c, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n")
	r := bufio.NewReader(c)
	res, err := http.ReadResponse(r, nil)
	if err != nil || res.StatusCode != http.StatusBadGateway || !res.Close {
		t.Fatalf("got %v (%v), want a 502 that closes", res, err)
	}
	io.Copy(io.Discard, res.Body)
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	if _, err := http.ReadResponse(r, nil); err == nil {
		t.Error("a body was answered as a request")
	}
}

func TestPipelinedRequestsAreAnsweredInOrder(t *testing.T) {
	p := start(t, stateDir(t))
	b := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprint(w, r.URL.Path, " ", string(body))
	}))
	c := dial(t, p.put(t, whole("v1", b)))
	io.WriteString(c, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nPOST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"+
		"POST /3 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ndef\r\n0\r\n\r\nGET /4 HTTP/1.0\r\n\r\n")
	r := bufio.NewReader(c)
	for _, want := range []string{"/1 ", "/2 abc", "/3 def", "/4 "} {
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		if body, _ := io.ReadAll(res.Body); string(body) != want {
			t.Errorf("got %q, want %q", body, want)
		}
	}
}

func TestBackendsSeeWhereARequestCameFrom(t *testing.T) {
	p := start(t, stateDir(t))
	b := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Host, "|", strings.Join(r.Header["X-Forwarded-For"], "|"), "|", r.Header.Get("X-Forwarded-Proto"),
			"|", r.Header.Get("X-Forwarded-Host"), "|", r.Header.Get("X-Secret"), "|", r.Header.Get("Keep-Alive"))
	}))
	url := p.put(t, whole("v1", b))
	for name, c := range map[string]*http.Client{"HTTP/1.1": client(t), "HTTP/2": h2c(t)} {
		req, _ := http.NewRequestWithContext(t.Context(), "GET", url, nil)
		req.Host = "shop.example"
		req.Header.Set("X-Forwarded-For", "10.0.0.1")
		req.Header.Set("X-Forwarded-Proto", "gopher")
		if name == "HTTP/1.1" {
			req.Header.Set("Connection", "X-Secret")
			req.Header.Set("X-Secret", "hop")
			req.Header.Set("Keep-Alive", "timeout=5")
		}
		res, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if want := "shop.example|10.0.0.1, 127.0.0.1|http|shop.example||"; string(body) != want {
			t.Errorf("%s: got %q, want %q", name, body, want)
		}
	}
}

func TestASlowBackendIs504(t *testing.T) {
	p := start(t, stateDir(t))
	release := make(chan struct{})
	b := serve(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer close(release)
	r := whole("v1", b)
	r.Timeout = 100 * time.Millisecond
	url := p.put(t, r)
	for name, c := range map[string]*http.Client{"HTTP/1.1": client(t), "HTTP/2": h2c(t)} {
		if status, _ := fetch(t, c, url); status != http.StatusGatewayTimeout {
			t.Errorf("%s: got %d, want 504", name, status)
		}
	}
	eventually(t, "both are counted", func() bool { return p.arm(t, "v1").Errors.Timeout == 2 })
}

func TestADepartedBackendFinishesAndIsThenCutOff(t *testing.T) {
	p := start(t, stateDir(t))
	arrived, release := make(chan struct{}, 2), make(chan struct{})
	slow := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		select {
		case <-release:
			fmt.Fprint(w, "finished")
		case <-r.Context().Done():
		}
	}))
	r := whole("v1", slow)
	url := p.put(t, r)
	answers := make(chan string, 2)
	ask := func() {
		_, body := fetch(t, client(t), url)
		answers <- body
	}
	go ask()
	<-arrived
	p.put(t, whole("v2", instance(t, "v2")))
	if n, err := p.Inflight(t.Context(), target); err != nil || n[slow.Address] != 1 {
		t.Errorf("in flight on the departed backend: %v (%v), want 1", n, err)
	}
	release <- struct{}{}
	if got := <-answers; got != "finished" {
		t.Errorf("a request in flight on a departed backend got %q", got)
	}
	r.DrainTimeout = 50 * time.Millisecond
	p.put(t, r)
	go ask()
	<-arrived
	p.put(t, whole("v2", instance(t, "v2")))
	if got := <-answers; got == "finished" {
		t.Error("a departed backend was not cut off")
	}
}

func TestTLSAndHTTP2OverIt(t *testing.T) {
	dir := stateDir(t)
	cert := httptest.NewTLSServer(nil)
	defer cert.Close()
	certFile, keyFile := writeCertificate(t, dir, cert.TLS.Certificates[0])
	p := start(t, dir, func(c *router.Config) { c.CertFile, c.KeyFile = certFile, keyFile })
	r := whole("v1", serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Header.Get("X-Forwarded-Proto"))
	})))
	r.TLS = true
	url := strings.Replace(p.put(t, r), "http://", "https://", 1)
	for _, h2 := range []bool{false, true} {
		tr := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: h2}
		res, err := (&http.Client{Transport: tr}).Get(url)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		res.Body.Close()
		tr.CloseIdleConnections()
		if got := res.ProtoMajor == 2; got != h2 || string(body) != "https" {
			t.Errorf("h2=%v: got HTTP/%d, %q", h2, res.ProtoMajor, body)
		}
	}
}

func writeCertificate(t *testing.T, dir string, c tls.Certificate) (certFile, keyFile string) {
	t.Helper()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writePEM(t, certFile, "CERTIFICATE", c.Certificate[0])
	writePEM(t, keyFile, "PRIVATE KEY", marshalKey(t, c.PrivateKey))
	return certFile, keyFile
}

func TestStoppingLetsRequestsFinish(t *testing.T) {
	p := start(t, stateDir(t))
	arrived, release := make(chan struct{}), make(chan struct{})
	b := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-release
		fmt.Fprint(w, "finished")
	}))
	url := p.put(t, whole("v1", b))
	answer := make(chan string)
	go func() {
		_, body := fetch(t, client(t), url)
		answer <- body
	}()
	<-arrived
	go p.stop()
	eventually(t, "nothing is accepted any more", func() bool {
		c, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", url[len("http://"):])
		if err == nil {
			c.Close()
		}
		return err != nil
	})
	close(release)
	if got := <-answer; got != "finished" {
		t.Errorf("got %q", got)
	}
	if err := <-p.done; err != nil {
		t.Errorf("the router ended with %v", err)
	}
	if _, err := os.Stat(filepath.Join(p.dir, "table.json")); err != nil {
		t.Error(err)
	}
}
