package router

import (
	"context"
	"errors"
	"io"
	"log"
	"mime"
	"net"
	"net/http"
	"net/http/httputil"
	"strings"
	"time"
)

// proxy serves requests that net/http reads: those over HTTP/2. Its backends
// are spoken to in HTTP/1.1.
type proxy struct {
	tally     *tally
	reverse   *httputil.ReverseProxy
	transport *http.Transport
	// revisionHeader tells whether answers name the revision that gave them.
	revisionHeader bool
}

// RevisionHeader is the header in which answers name the revision that gave them.
const RevisionHeader = "Fairway-Revision"

func newProxy(t *tally, revisionHeader bool) *proxy {
	p := &proxy{tally: t, revisionHeader: revisionHeader}
	p.transport = &http.Transport{
		DialContext:         (&net.Dialer{Timeout: dialTimeout}).DialContext,
		DisableCompression:  true,
		MaxIdleConnsPerHost: 128,
		IdleConnTimeout:     idleBackend,
	}
	p.reverse = &httputil.ReverseProxy{
		Rewrite:        p.rewrite,
		Transport:      roundTripper(p.roundTrip),
		FlushInterval:  -1,
		ModifyResponse: p.answered,
		ErrorHandler:   p.failed,
		ErrorLog:       log.New(io.Discard, "", 0),
	}
	return p
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

type exchangeKey struct{}

func exchangeOf(ctx context.Context) *exchange {
	x, _ := ctx.Value(exchangeKey{}).(*exchange)
	return x
}

var (
	errTimeout = errors.New("the backend did not answer in time")
	errCut     = errors.New("the backend was taken away")
)

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{started: time.Now()}
	if !x.direct(listenerOf(r.Context()).site.Load(), r.Host, netRequest{r}) {
		p.tally.unrouted.Add(1)
		http.Error(w, "no route", http.StatusNotFound)
		return
	}
	ctx, cancel := context.WithCancelCause(context.WithValue(r.Context(), exchangeKey{}, x))
	x.cancel = cancel
	defer cancel(nil)
	defer x.end()
	p.reverse.ServeHTTP(w, r.WithContext(ctx))
}

func (p *proxy) rewrite(r *httputil.ProxyRequest) {
	r.Out.URL.Scheme = "http"
	r.Out.URL.Host = "backend"
	r.Out.URL.RawQuery = r.In.URL.RawQuery
	r.Out.Host = r.In.Host
	r.Out.Header["X-Forwarded-For"] = r.In.Header["X-Forwarded-For"]
	r.SetXForwarded()
	if _, ok := r.Out.Header["User-Agent"]; !ok {
		r.Out.Header.Set("User-Agent", "") // or the transport would name itself
	}
}

// roundTrip asks the arm's backends in turn, as long as they cannot be connected to.
func (p *proxy) roundTrip(r *http.Request) (*http.Response, error) {
	x := exchangeOf(r.Context())
	if x.struck() {
		x.strike()
		return struck(r), nil
	}
	body, turn := r.Body, x.arm.turn(x.started)
	var failed error
	for b := turn.next(); b != nil; b = turn.next() {
		x.choose(b)
		out, u := r.WithContext(r.Context()), *r.URL
		u.Host = b.address
		out.URL = &u
		if body != nil {
			out.Body = io.NopCloser(body) // a failed dial must not close it
		}
		res, err := p.ask(out, b)
		if !isDial(err) || r.Context().Err() != nil {
			x.outcome = outcomeOK
			if err == nil {
				x.holdBack()
			}
			return res, err
		}
		failed = err
		b.failed.Store(time.Now().UnixNano())
		x.outcome = outcomeConnect
	}
	return nil, failed
}

// struck is the answer to a request that is struck.
func struck(r *http.Request) *http.Response {
	return &http.Response{
		Status: "503 Service Unavailable", StatusCode: http.StatusServiceUnavailable,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header:        http.Header{"Content-Type": {"text/plain; charset=utf-8"}},
		ContentLength: int64(len(struckText) + 1), Body: io.NopCloser(strings.NewReader(struckText + "\n")),
	}
}

func isDial(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

func (p *proxy) ask(r *http.Request, b *backend) (*http.Response, error) {
	x := exchangeOf(r.Context())
	timer := time.AfterFunc(x.route.timeout, func() { x.cancel(errTimeout) })
	stop := context.AfterFunc(b.cut, func() { x.cancel(errCut) })
	res, err := p.transport.RoundTrip(r)
	timer.Stop()
	if err != nil {
		stop()
		return nil, err
	}
	context.AfterFunc(r.Context(), func() { stop() })
	return res, nil
}

// answered sees the head of an answer before the client does.
func (p *proxy) answered(res *http.Response) error {
	x := exchangeOf(res.Request.Context())
	x.answered(res.StatusCode)
	if x.cookie != "" {
		res.Header.Add("Set-Cookie", x.cookie)
	}
	if p.revisionHeader {
		res.Header.Set(RevisionHeader, x.arm.revision)
	}
	if res.StatusCode == http.StatusSwitchingProtocols {
		x.count()
		return nil
	}
	if isEventStream(res.Header.Get("Content-Type")) {
		x.count()
	}
	res.Body = &watchedBody{ReadCloser: res.Body, x: x, ctx: res.Request.Context()}
	return nil
}

// watchedBody notes when a backend breaks off its answer.
type watchedBody struct {
	io.ReadCloser
	x   *exchange
	ctx context.Context
}

func (b *watchedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF && (b.ctx.Err() == nil || context.Cause(b.ctx) == errCut) {
		b.x.outcome = outcomeTransport
	}
	return n, err
}

// failed answers for a backend that did not.
func (p *proxy) failed(w http.ResponseWriter, r *http.Request, _ error) {
	x := exchangeOf(r.Context())
	cause := context.Cause(r.Context())
	status := http.StatusBadGateway
	switch {
	case cause == errTimeout:
		x.outcome, status = outcomeTimeout, http.StatusGatewayTimeout
	case cause != nil && cause != errCut:
		x.outcome = outcomeAborted
	case x.outcome != outcomeConnect:
		x.outcome = outcomeTransport
	}
	if p.revisionHeader {
		w.Header().Set(RevisionHeader, x.arm.revision)
	}
	http.Error(w, "the service did not answer", status)
}

func isEventStream(contentType string) bool {
	t, _, err := mime.ParseMediaType(contentType)
	return err == nil && t == "text/event-stream"
}
