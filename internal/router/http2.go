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

// exchange is one request on its way through the router.
type exchange struct {
	site    *site
	route   *liveRoute
	arm     *liveArm
	backend *backend
	started time.Time
	cookie  string
	outcome outcome
	// counted is set once the request is in the counters.
	counted  bool
	answered bool
	cancel   context.CancelCauseFunc
}

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
	if s := listenerOf(r.Context()).site.Load(); s != nil {
		x.route = s.route(r.Host)
	}
	if x.route == nil {
		p.tally.unrouted.Add(1)
		http.Error(w, "no route", http.StatusNotFound)
		return
	}
	var key string
	if x.route.sticky != nil {
		key, x.cookie = x.route.sticky.key(netRequest{r})
	}
	x.arm = x.route.arm(key)
	ctx, cancel := context.WithCancelCause(context.WithValue(r.Context(), exchangeKey{}, x))
	x.cancel = cancel
	defer cancel(nil)
	defer x.end()
	p.reverse.ServeHTTP(w, r.WithContext(ctx))
}

// end counts the request and lets go of its backend.
func (x *exchange) end() {
	if x.backend == nil {
		return
	}
	x.count()
	x.backend.counts.inflight.Add(-1)
}

func (x *exchange) count() {
	if !x.counted {
		x.counted = true
		x.backend.counts.record(x.outcome, time.Since(x.started))
	}
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
func (p *proxy) roundTrip(r *http.Request) (res *http.Response, err error) {
	x := exchangeOf(r.Context())
	body := r.Body
	x.arm.order(x.started, func(b *backend) bool {
		if x.backend != nil {
			x.backend.counts.inflight.Add(-1)
		}
		b.counts.inflight.Add(1)
		x.backend = b
		out := r.WithContext(r.Context())
		u := *r.URL
		u.Host = b.address
		out.URL = &u
		if body != nil {
			out.Body = io.NopCloser(body) // a failed dial must not close it
		}
		res, err = p.ask(out, b)
		var op *net.OpError
		if errors.As(err, &op) && op.Op == "dial" && r.Context().Err() == nil {
			b.failed.Store(time.Now().UnixNano())
			x.outcome = outcomeConnect
			return false
		}
		return true
	})
	return res, err
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
	x.answered, x.outcome = true, outcomeOK
	if res.StatusCode >= 500 {
		x.outcome = outcomeStatus
	}
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
