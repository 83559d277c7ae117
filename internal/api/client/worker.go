package client

import (
	"context"

	"github.com/fairwayhq/fairway/internal/stage"
)

// Lease asks for tasks, and waits for the first as long as the ask says.
func (c *Client) Lease(ctx context.Context, ask stage.LeaseAsk) ([]stage.Task, error) {
	return post[[]stage.Task](ctx, c, "/v1/worker/lease", ask)
}

// Report says what a tick came to, and learns how the task stands.
func (c *Client) Report(ctx context.Context, r stage.Report) (stage.Reply, error) {
	return post[stage.Reply](ctx, c, "/v1/worker/report", r)
}
