// Package notify tells people and their tools: one file per channel. A notifier
// delivers one message; when to try again is decided by who keeps the outbox.
package notify

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/fault"
)

// webhookTimeout bounds one delivery, so that a slow receiver delays only itself.
const webhookTimeout = 10 * time.Second

// Webhook posts messages as JSON. The header Idempotency-Key names the message:
// after a crash the same one may arrive twice.
type Webhook struct{ client http.Client }

// NewWebhook returns a notifier that follows no redirects.
func NewWebhook() *Webhook {
	return &Webhook{client: http.Client{
		Timeout:       webhookTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Deliver posts one message. fault.Unavailable means to try again; fault.Invalid
// that it makes no sense to.
func (w *Webhook) Deliver(ctx context.Context, m drive.Message) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, m.Webhook, bytes.NewReader(m.Body))
	if err != nil {
		return fault.Errorf(fault.Invalid, "the webhook %q is not a URL: %w", m.Webhook, err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", m.ID)
	req.Header.Set("User-Agent", "fairway")
	answer, err := w.client.Do(req)
	if err != nil {
		return fault.Errorf(fault.Unavailable, "post to the webhook: %w", err)
	}
	defer answer.Body.Close()
	said, _ := io.ReadAll(io.LimitReader(answer.Body, 200))
	switch code := answer.StatusCode; {
	case code < 300:
		return nil
	case code == http.StatusRequestTimeout, code == http.StatusTooManyRequests, code >= 500:
		return fault.Errorf(fault.Unavailable, "the webhook answered %s", describe(code, said))
	default:
		return fault.Errorf(fault.Invalid, "the webhook refused the message: %s", describe(code, said))
	}
}

func describe(code int, said []byte) string {
	if len(said) == 0 {
		return fmt.Sprint(code)
	}
	return fmt.Sprintf("%d %q", code, said)
}
