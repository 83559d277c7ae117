package router

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"syscall"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
)

// Client speaks the admin API of the router with one state directory. It is
// safe for concurrent use. A router that does not answer is fault.Unavailable;
// an older fence is fault.Conflict with ErrFenced in its chain.
type Client struct {
	http *http.Client
	dir  string
}

// NewClient makes a client; it does not connect yet.
func NewClient(stateDir string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", adminSocket(stateDir))
	}
	// Without keep-alive no call can meet a connection to a process that has been replaced.
	return &Client{dir: stateDir, http: &http.Client{
		Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true},
		Timeout:   30 * time.Second,
	}}
}

// Ready waits until the router answers, or ctx ends.
func (c *Client) Ready(ctx context.Context) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		_, err := c.Health(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fault.Errorf(fault.Unavailable, "the router in %s did not become ready: %w", c.dir, err)
		case <-tick.C:
		}
	}
}

// Gone tells by the error of a call that no process serves the state directory. One
// that is alive and too busy to answer is not gone.
func Gone(err error) bool {
	return errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ECONNREFUSED)
}

// Health says whether everything is as it should be.
func (c *Client) Health(ctx context.Context) (Health, error) {
	return call[Health](ctx, c, "GET", "/healthz", nil)
}

// Table returns everything that the router serves.
func (c *Client) Table(ctx context.Context) (Table, error) {
	return call[Table](ctx, c, "GET", "/table", nil)
}

// Route returns one route.
func (c *Client) Route(ctx context.Context, target string) (Route, error) {
	return call[Route](ctx, c, "GET", routePath(target), nil)
}

// PutRoute makes or replaces a route and returns it as it then is. Once it
// returns, every new request is split by the new weights.
func (c *Client) PutRoute(ctx context.Context, target string, r Route) (Route, error) {
	return call[Route](ctx, c, "PUT", routePath(target), r)
}

// DeleteRoute stops serving a route; its fence is remembered.
func (c *Client) DeleteRoute(ctx context.Context, target string, fence int64) error {
	_, err := call[struct{}](ctx, c, "DELETE", routePath(target)+"?fence="+strconv.FormatInt(fence, 10), nil)
	return err
}

// Claim writes a fence onto the route, which need not exist yet, and returns it.
func (c *Client) Claim(ctx context.Context, target string, claim Claim) (Route, error) {
	return call[Route](ctx, c, "PUT", routePath(target)+"/fence", claim)
}

// PutBackends replaces the instances of one arm and leaves its weight.
func (c *Client) PutBackends(ctx context.Context, target, revision string, b BackendsUpdate) (Route, error) {
	return call[Route](ctx, c, "PUT", routePath(target)+"/arms/"+url.PathEscape(revision)+"/backends", b)
}

// Inflight returns the requests under way on the route by backend address, also
// on backends that have left it.
func (c *Client) Inflight(ctx context.Context, target string) (map[string]int64, error) {
	return call[map[string]int64](ctx, c, "GET", routePath(target)+"/inflight", nil)
}

// Counters returns all counters.
func (c *Client) Counters(ctx context.Context) (Counters, error) {
	return call[Counters](ctx, c, "GET", "/counters", nil)
}

func routePath(target string) string { return "/routes/" + url.PathEscape(target) }

// call asks once more, for a while, when it meets a router that is being handed
// over; nothing has happened then.
func call[T any](ctx context.Context, c *Client, method, path string, body any) (T, error) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); ; {
		last := time.Now().After(end) // read first: after a stall there is another call
		answer, err := callOnce[T](ctx, c, method, path, body)
		if !errors.Is(err, errHanding) || last {
			return answer, err
		}
		select {
		case <-ctx.Done():
			return answer, err
		case <-tick.C:
		}
	}
}

func callOnce[T any](ctx context.Context, c *Client, method, path string, body any) (answer T, err error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return answer, fmt.Errorf("ask the router: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://router"+path, bytes.NewReader(raw))
	if err != nil {
		return answer, fmt.Errorf("ask the router: %w", err)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return answer, fault.Errorf(fault.Unavailable, "ask the router: %w", err).
			WithHint("see whether it runs: fairway router --state-dir %s", c.dir)
	}
	defer res.Body.Close()
	dec := json.NewDecoder(res.Body)
	if res.StatusCode != http.StatusOK {
		return answer, readProblem(res.StatusCode, dec)
	}
	if err := dec.Decode(&answer); err != nil {
		return answer, fault.Errorf(fault.Unavailable, "read the router's answer: %w", err)
	}
	return answer, nil
}

func readProblem(status int, dec *json.Decoder) error {
	var p problem
	if err := dec.Decode(&p); err != nil {
		return fault.Errorf(fault.Unavailable, "the router answered %d", status)
	}
	e := &fault.Error{Code: fault.Code(p.Title), Message: p.Detail, Hint: p.Hint}
	switch p.Type {
	case typeFenced:
		e.Err = ErrFenced
	case typeHanding:
		e.Err = errHanding
	}
	return e
}
