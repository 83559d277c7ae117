package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/inquiry"
	"github.com/fairwayhq/fairway/internal/stage"
)

// Hello introduces the worker, and learns what the server speaks and what time it has.
func (c *Client) Hello(ctx context.Context, h stage.Hello) (stage.Welcome, error) {
	return post[stage.Welcome](ctx, c, "/v1/worker/hello", h)
}

// Lease asks for tasks, and waits for the first as long as the ask says.
func (c *Client) Lease(ctx context.Context, ask stage.LeaseAsk) ([]stage.Task, error) {
	tasks, err := post[[]stage.Task](ctx, c, "/v1/worker/lease", ask)
	return tasks, orUnread(err)
}

// Report says what a tick came to, and learns how the task stands. stage.ErrUnread is in the
// chain of the error where the server does not know a field of the report.
func (c *Client) Report(ctx context.Context, r stage.Report) (stage.Reply, error) {
	reply, err := post[stage.Reply](ctx, c, "/v1/worker/report", r)
	return reply, orUnread(err)
}

// UnreadHint is the hint of a server that cannot read a request as what the route takes. Servers
// of every version say it in these words.
const UnreadHint = "/openapi.json describes what this route takes"

// orUnread tells where the server knows other fields, or other types of them, than this build. Other
// texts that it refuses have other hints, and other sizes another status.
func orUnread(err error) error {
	var status *StatusError
	if errors.As(err, &status) && status.Status == http.StatusUnprocessableEntity && fault.HintOf(err) == UnreadHint {
		return fmt.Errorf("%w: %w", stage.ErrUnread, err)
	}
	return err
}

// Signs gives signs of life of tasks, and learns how each stands.
func (c *Client) Signs(ctx context.Context, signs stage.Signs) ([]stage.Reply, error) {
	return post[[]stage.Reply](ctx, c, "/v1/worker/signs", signs)
}

// Take asks for an inquiry, and waits for it as long as the wish says.
func (c *Client) Take(ctx context.Context, w inquiry.Wish) ([]inquiry.Inquiry, error) {
	return post[[]inquiry.Inquiry](ctx, c, "/v1/worker/inquiries", w)
}

// Answer answers an inquiry.
func (c *Client) Answer(ctx context.Context, a inquiry.Answer) error {
	return c.do(ctx, call{method: http.MethodPost, path: "/v1/worker/answers", body: a})
}
