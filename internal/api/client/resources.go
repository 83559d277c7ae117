package client

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/url"
	"strconv"

	"github.com/fairwayhq/fairway/internal/pipeline"
)

// get reads what the path names.
func get[T any](ctx context.Context, c *Client, path string, query url.Values) (T, error) {
	var v T
	err := c.do(ctx, call{method: http.MethodGet, path: path, query: query, into: &v, repeatable: true})
	return v, err
}

// post sends the body and reads the answer.
func post[T any](ctx context.Context, c *Client, path string, body any) (T, error) {
	var v T
	err := c.do(ctx, call{method: http.MethodPost, path: path, body: body, into: &v})
	return v, err
}

func (c *Client) remove(ctx context.Context, path string) error {
	return c.do(ctx, call{method: http.MethodDelete, path: path})
}

// releasePath is the path of a release, by ID, SERVICE@VERSION or SERVICE.
func releasePath(ref, below string) string { return "/v1/releases/" + url.PathEscape(ref) + below }

// Me tells who the token belongs to.
func (c *Client) Me(ctx context.Context) (Me, error) { return get[Me](ctx, c, "/v1/me", nil) }

// Services lists all services.
func (c *Client) Services(ctx context.Context) (Page[Service], error) {
	return get[Page[Service]](ctx, c, "/v1/services", nil)
}

// Service returns one service.
func (c *Client) Service(ctx context.Context, name string) (Service, error) {
	return get[Service](ctx, c, "/v1/services/"+url.PathEscape(name), nil)
}

// Filter narrows a list of releases; empty fields match all.
type Filter struct {
	Service string
	State   pipeline.RunState
	Cursor  string
	Limit   int
}

// Releases lists releases, newest first.
func (c *Client) Releases(ctx context.Context, f Filter) (Page[Release], error) {
	q := url.Values{}
	set(q, "service", f.Service)
	set(q, "state", string(f.State))
	set(q, "cursor", f.Cursor)
	setNumber(q, "limit", int64(f.Limit))
	return get[Page[Release]](ctx, c, "/v1/releases", q)
}

// Create makes a release. The same request made again with the same key returns
// the release that the first one made. Without a key it gets one of its own, so
// that a connection which breaks cannot make two releases of one call.
func (c *Client) Create(ctx context.Context, n NewRelease, key string) (ReleaseDetail, error) {
	return c.makeOnce(ctx, "/v1/releases", n, key)
}

func (c *Client) makeOnce(ctx context.Context, path string, body any, key string) (ReleaseDetail, error) {
	if key == "" {
		key = rand.Text()
	}
	var d ReleaseDetail
	err := c.do(ctx, call{
		method: http.MethodPost, path: path, body: body, into: &d,
		header: map[string]string{"Idempotency-Key": key}, repeatable: true,
	})
	return d, err
}

// Release returns a release with everything about it.
func (c *Client) Release(ctx context.Context, ref string) (ReleaseDetail, error) {
	return get[ReleaseDetail](ctx, c, releasePath(ref, ""), nil)
}

// Events lists the lines of the release's chain after the line with the number after.
func (c *Client) Events(ctx context.Context, ref string, after int64, limit int) (Page[Event], error) {
	q := url.Values{}
	setNumber(q, "after", after)
	setNumber(q, "limit", int64(limit))
	return get[Page[Event]](ctx, c, releasePath(ref, "/events"), q)
}

// Points lists the judged samples after the one with the ID after; environment may be empty.
func (c *Client) Points(ctx context.Context, ref, environment string, after int64, limit int) (Page[Point], error) {
	q := url.Values{}
	set(q, "environment", environment)
	setNumber(q, "after", after)
	setNumber(q, "limit", int64(limit))
	return get[Page[Point]](ctx, c, releasePath(ref, "/points"), q)
}

// Samples lists the samples after the one with the ID after as they were judged; environment may be empty.
func (c *Client) Samples(ctx context.Context, ref, environment string, after int64, limit int) (Page[JudgedSample], error) {
	q := url.Values{}
	set(q, "environment", environment)
	setNumber(q, "after", after)
	setNumber(q, "limit", int64(limit))
	return get[Page[JudgedSample]](ctx, c, releasePath(ref, "/samples"), q)
}

// Verify proves the release's chain.
func (c *Client) Verify(ctx context.Context, ref string) (Verification, error) {
	return get[Verification](ctx, c, releasePath(ref, "/verify"), nil)
}

// Approve approves what waits for a person.
func (c *Client) Approve(ctx context.Context, ref string, a Approval) (ReleaseDetail, error) {
	return post[ReleaseDetail](ctx, c, releasePath(ref, "/approve"), a)
}

// Reject rejects what waits for a person.
func (c *Client) Reject(ctx context.Context, ref string, a Approval) (ReleaseDetail, error) {
	return post[ReleaseDetail](ctx, c, releasePath(ref, "/reject"), a)
}

// Pause keeps the release from advancing.
func (c *Client) Pause(ctx context.Context, ref string, a Action) (ReleaseDetail, error) {
	return post[ReleaseDetail](ctx, c, releasePath(ref, "/pause"), a)
}

// Resume lets a paused release go on.
func (c *Client) Resume(ctx context.Context, ref string, a Action) (ReleaseDetail, error) {
	return post[ReleaseDetail](ctx, c, releasePath(ref, "/resume"), a)
}

// Rollback takes a release back, or, with r.To, is Restore without a key.
func (c *Client) Rollback(ctx context.Context, ref string, r Rollback) (ReleaseDetail, error) {
	if r.To != "" {
		return c.Restore(ctx, ref, r, "")
	}
	return post[ReleaseDetail](ctx, c, releasePath(ref, "/rollback"), r)
}

// Restore brings the older release r.To back, and returns the new release that does
// so. The key is as with Create: the same request with it makes no second one.
func (c *Client) Restore(ctx context.Context, ref string, r Rollback, key string) (ReleaseDetail, error) {
	return c.makeOnce(ctx, releasePath(ref, "/rollback"), r, key)
}

// Drill begins a drill, and returns the release that it is. The key is as with Create.
func (c *Client) Drill(ctx context.Context, service string, n NewDrill, key string) (ReleaseDetail, error) {
	return c.makeOnce(ctx, "/v1/services/"+url.PathEscape(service)+"/drills", n, key)
}

// Inquire asks a worker about what runs in an environment, and waits for the answer. It
// changes nothing, so it is asked again where a server that ended has lost it.
func (c *Client) Inquire(ctx context.Context, n NewInquiry) (Comparison, error) {
	var found Comparison
	err := c.do(ctx, call{method: http.MethodPost, path: "/v1/inquiries", body: n, into: &found, harmless: true})
	return found, err
}

// Skip leaves an environment out.
func (c *Client) Skip(ctx context.Context, ref string, a Action) (ReleaseDetail, error) {
	return post[ReleaseDetail](ctx, c, releasePath(ref, "/skip"), a)
}

// AddEvidence adds a fact about an artifact.
func (c *Client) AddEvidence(ctx context.Context, e Evidence) (pipeline.Evidence, error) {
	return post[pipeline.Evidence](ctx, c, "/v1/evidence", e)
}

// Evidence lists all facts about an artifact.
func (c *Client) Evidence(ctx context.Context, digest string) (Page[pipeline.Evidence], error) {
	return get[Page[pipeline.Evidence]](ctx, c, "/v1/evidence", url.Values{"digest": {digest}})
}

// Freezes lists the freezes that are not ended.
func (c *Client) Freezes(ctx context.Context) (Page[Freeze], error) {
	return get[Page[Freeze]](ctx, c, "/v1/freezes", nil)
}

// Freeze stops lanes.
func (c *Client) Freeze(ctx context.Context, f NewFreeze) (Freeze, error) {
	return post[Freeze](ctx, c, "/v1/freezes", f)
}

// Unfreeze ends a freeze.
func (c *Client) Unfreeze(ctx context.Context, id string) error {
	return c.remove(ctx, "/v1/freezes/"+url.PathEscape(id))
}

// Users lists all users.
func (c *Client) Users(ctx context.Context) (Page[User], error) {
	return get[Page[User]](ctx, c, "/v1/users", nil)
}

// AddUser makes a user.
func (c *Client) AddUser(ctx context.Context, u NewUser) (User, error) {
	return post[User](ctx, c, "/v1/users", u)
}

// Tokens lists the caller's tokens, or those of the user if one is named.
func (c *Client) Tokens(ctx context.Context, user string) (Page[Token], error) {
	q := url.Values{}
	set(q, "user", user)
	return get[Page[Token]](ctx, c, "/v1/tokens", q)
}

// AddToken makes a token; its secret is told only now.
func (c *Client) AddToken(ctx context.Context, t NewToken) (Token, error) {
	return post[Token](ctx, c, "/v1/tokens", t)
}

// RevokeToken ends a token.
func (c *Client) RevokeToken(ctx context.Context, id string) error {
	return c.remove(ctx, "/v1/tokens/"+url.PathEscape(id))
}

func set(q url.Values, name, value string) {
	if value != "" {
		q.Set(name, value)
	}
}

func setNumber(q url.Values, name string, n int64) {
	if n > 0 {
		q.Set(name, strconv.FormatInt(n, 10))
	}
}
