package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

// Config says which server to speak to, and as whom.
type Config struct {
	// URL is the server's address, for instance http://127.0.0.1:7878.
	URL string
	// Token is sent with every request.
	Token string
	// TokenNow, where it is set, says the token of each request anew. Who is not known with
	// it asks once more, with the token of then: it may just have been replaced.
	TokenNow func() (string, error)
	// HTTP makes the requests; nil means a client of its own, without a time limit
	// beyond the context's.
	HTTP *http.Client
	// Agent names the program in the User-Agent header.
	Agent string
}

// Client speaks to one server. It is safe for concurrent use.
type Client struct {
	base  *url.URL
	token func() (string, error)
	agent string
	http  *http.Client
	// pause waits between two attempts; tests make it shorter.
	pause func(ctx context.Context, d time.Duration) error
}

// New returns a client; it does not connect yet.
func New(c Config) (*Client, error) {
	base, err := url.Parse(c.URL)
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" {
		return nil, fault.Errorf(fault.Invalid, "%q is not the address of a server", c.URL).
			WithHint("for instance http://127.0.0.1:7878")
	}
	if c.HTTP == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.ResponseHeaderTimeout = 2 * time.Minute
		c.HTTP = &http.Client{Transport: t}
	}
	if c.Agent == "" {
		c.Agent = "fairway"
	}
	if c.TokenNow == nil {
		c.TokenNow = func() (string, error) { return c.Token, nil }
	}
	base.Path = strings.TrimSuffix(base.Path, "/")
	return &Client{base: base, token: c.TokenNow, agent: c.Agent, http: c.HTTP, pause: pause}, nil
}

// call is one request and where its answer goes.
type call struct {
	method string
	// path is below the base, its segments already escaped.
	path   string
	query  url.Values
	header map[string]string
	body   any
	// into gets the decoded answer; nil ignores it.
	into any
	// repeatable says that the call may be made again when it did not get through.
	repeatable bool
	// harmless says that it changes nothing, so that it may also be made again when it was
	// broken off half-way.
	harmless bool
}

// attempts is how often a repeatable call is made, with pauses that double from firstPause.
const (
	attempts   = 5
	firstPause = 100 * time.Millisecond
)

// do makes the call. A server that refuses connections, for instance while it
// restarts, is asked a few times more if the call may be repeated.
func (c *Client) do(ctx context.Context, ask call) error {
	wait := firstPause
	for try := 1; ; try++ {
		resp, err := c.send(ctx, ask)
		if err == nil {
			return decode(resp, ask.into)
		}
		if brokenOff(err) && ask.harmless {
			ask.repeatable = true
		}
		if !ask.repeatable || try == attempts || !refused(err) && !(ask.harmless && brokenOff(err)) {
			return err
		}
		if err := c.pause(ctx, wait); err != nil {
			return err
		}
		wait *= 2
	}
}

// send makes one attempt, or a second one where the token was replaced meanwhile. An
// answer other than 2xx is an error.
func (c *Client) send(ctx context.Context, ask call) (*http.Response, error) {
	token, err := c.token()
	if err != nil {
		return nil, err
	}
	resp, err := c.sendAs(ctx, token, ask)
	if unknown(err) {
		if now, readErr := c.token(); readErr == nil && now != token {
			return c.sendAs(ctx, now, ask)
		}
	}
	return resp, err
}

// unknown tells that the server does not know who asks.
func unknown(err error) bool {
	var status *StatusError
	return errors.As(err, &status) && status.Status == http.StatusUnauthorized
}

func (c *Client) sendAs(ctx context.Context, token string, ask call) (*http.Response, error) {
	req, err := c.request(ctx, token, ask)
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.unreachable(ctx, err)
	}
	if resp.StatusCode/100 != 2 {
		defer resp.Body.Close()
		return nil, faultOf(resp)
	}
	return resp, nil
}

func (c *Client) request(ctx context.Context, token string, ask call) (*http.Request, error) {
	var body io.Reader
	if ask.body != nil {
		b, err := json.Marshal(ask.body)
		if err != nil {
			return nil, fault.Errorf(fault.Internal, "encode %s: %w", ask.path, err)
		}
		body = bytes.NewReader(b)
	}
	address := c.base.String() + ask.path
	if len(ask.query) > 0 {
		address += "?" + ask.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, ask.method, address, body)
	if err != nil {
		return nil, fault.Errorf(fault.Invalid, "make a request for %s: %w", ask.path, err)
	}
	if ask.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Accept", "application/json, application/problem+json")
	req.Header.Set("User-Agent", c.agent)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for name, value := range ask.header {
		if value != "" {
			req.Header.Set(name, value)
		}
	}
	return req, nil
}

// unreachable says that no answer came.
func (c *Client) unreachable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	f := fault.Errorf(fault.Unavailable, "the server at %s does not answer: %w", c.base.Redacted(), err)
	if unknown := new(tls.CertificateVerificationError); errors.As(err, &unknown) {
		return f.WithHint("is it the right server? Name the authority of its certificate with `fairway worker --ca`, or for other commands in SSL_CERT_FILE")
	}
	return f.WithHint("start it with `fairway server`, or name another one with --server or FAIRWAY_SERVER")
}

// refused tells whether the request surely did not get through.
func refused(err error) bool {
	var op *net.OpError
	return errors.Is(err, syscall.ECONNREFUSED) || errors.As(err, &op) && op.Op == "dial" && !op.Timeout()
}

// brokenOff tells whether the request got through and no answer came.
func brokenOff(err error) bool {
	var answered *StatusError
	var sent *url.Error
	return errors.As(err, &sent) && !errors.As(err, &answered) && !refused(err)
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func decode(resp *http.Response, into any) error {
	defer resp.Body.Close()
	if into == nil {
		_, err := io.Copy(io.Discard, resp.Body)
		return err
	}
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		return fault.Errorf(fault.Unavailable, "read the server's answer: %w", err)
	}
	return nil
}

// faultOf turns a problem into the fault that it was. The faults of a definition
// are in the chain as pipeline.Faults.
func faultOf(resp *http.Response) error {
	var p Problem
	b, _ := io.ReadAll(io.LimitReader(resp.Body, 4<<20))
	if err := json.Unmarshal(b, &p); err != nil || p.Code == "" {
		return fault.Errorf(codeOf(resp.StatusCode), "the server answered %s to %s", resp.Status, resp.Request.URL.Path).
			WithHint("is it a Fairway server? `fairway --server` names another one")
	}
	f := &fault.Error{Code: fault.Code(p.Code), Message: p.Detail, Hint: p.Hint, Err: &StatusError{Status: p.Status}}
	var faults pipeline.Faults
	if len(p.Faults) > 0 && json.Unmarshal(p.Faults, &faults) == nil {
		f.Err = faults
	}
	return f
}

// StatusError is the HTTP status of a refusal, in the chain of its fault.
type StatusError struct{ Status int }

// Error names the status.
func (e *StatusError) Error() string { return fmt.Sprintf("HTTP status %d", e.Status) }

func codeOf(status int) fault.Code {
	switch {
	case status == http.StatusNotFound:
		return fault.NotFound
	case status == http.StatusConflict:
		return fault.Conflict
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return fault.Denied
	case status == http.StatusServiceUnavailable, status == http.StatusBadGateway, status == http.StatusGatewayTimeout:
		return fault.Unavailable
	case status >= 500:
		return fault.Internal
	}
	return fault.Invalid
}
