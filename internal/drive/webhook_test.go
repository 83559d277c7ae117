package drive_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

const withNotify = `service: shop
host: {run: ./shop, listen: "127.0.0.1:8080"}
environments:
  - name: production
    stages: [{notify: {webhook: "http://127.0.0.1:9/hook", message: hello}}, deploy]
`

func TestAWebhookThatIsDownIsTriedAgainAndHoldsNothingUp(t *testing.T) {
	r := newRig(t)
	r.refuse = fault.Errorf(fault.Unavailable, "down")
	id := r.ship(withNotify)
	if task := r.one("w1"); task.Stage.Kind != pipeline.KindDeploy {
		t.Fatalf("the release waits at %s", task.Stage.Name)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- r.Run(ctx) }()
	defer func() { stop(); <-done }()
	waitFor(t, func() bool { return r.attempts() > 0 })
	r.mu.Lock()
	r.refuse = nil
	r.now = r.now.Add(time.Minute)
	r.mu.Unlock()
	r.Wake()
	waitFor(t, func() bool { r.mu.Lock(); defer r.mu.Unlock(); return len(r.delivered) == 1 })
	var body struct{ Release, Text string }
	if err := json.Unmarshal(r.delivered[0].Body, &body); err != nil || body.Release != id || body.Text != "hello" {
		t.Errorf("delivered %s", r.delivered[0].Body)
	}
}

func TestAWebhookThatRefusesIsGivenUpAndToldInTheLedger(t *testing.T) {
	r := newRig(t)
	r.refuse = fault.Errorf(fault.Invalid, "gone")
	id := r.ship(withNotify)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- r.Run(ctx) }()
	defer func() { stop(); <-done }()
	waitFor(t, func() bool { return r.told(id, "notification.lost") })
}

func (r *rig) attempts() int {
	n := 0
	_ = r.store.Drive().View(context.Background(), func(tx drive.Tx) error {
		due, err := tx.DueMessages(r.clock().Add(time.Hour), 10)
		for _, m := range due {
			n += m.Attempts
		}
		return err
	})
	return n
}
