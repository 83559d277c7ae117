package notify_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/notify"
)

func TestWebhookSaysWhetherARetryMakesSense(t *testing.T) {
	for name, tc := range map[string]struct {
		status int
		want   fault.Code
	}{
		"taken":            {204, ""},
		"overloaded":       {503, fault.Unavailable},
		"asked to slow":    {429, fault.Unavailable},
		"refused for good": {400, fault.Invalid},
		"redirected":       {302, fault.Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			var key, body string
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				b, _ := io.ReadAll(r.Body)
				key, body = r.Header.Get("Idempotency-Key"), string(b)
				w.WriteHeader(tc.status)
			}))
			defer srv.Close()
			err := notify.NewWebhook().Deliver(context.Background(), drive.Message{ID: "m1", Webhook: srv.URL, Body: []byte(`{"text":"hi"}`)})
			if got := fault.CodeOf(err); got != tc.want {
				t.Errorf("Deliver = %v (code %q), want code %q", err, got, tc.want)
			}
			if key != "m1" || body != `{"text":"hi"}` {
				t.Errorf("the receiver got key %q and body %q", key, body)
			}
		})
	}
}

func TestWebhookThatIsDownIsTriedAgain(t *testing.T) {
	srv := httptest.NewServer(http.NotFoundHandler())
	url := srv.URL
	srv.Close()
	err := notify.NewWebhook().Deliver(context.Background(), drive.Message{Webhook: url})
	if fault.CodeOf(err) != fault.Unavailable {
		t.Errorf("Deliver = %v, want unavailable", err)
	}
}

func TestWebhookThatHangsEndsWithTheContext(t *testing.T) {
	release := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer srv.Close()
	defer close(release)
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := notify.NewWebhook().Deliver(ctx, drive.Message{Webhook: srv.URL}); fault.CodeOf(err) != fault.Unavailable {
		t.Errorf("Deliver = %v, want unavailable", err)
	}
}
