package drive_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/fault"
)

// withMessages returns a rig with so many messages that are due, and a drive on it which
// sends them by the function.
func withMessages(t *testing.T, n int, deliver func(ctx context.Context, r *rig) error) (*rig, *drive.Drive) {
	r := newRig(t)
	err := r.store.Drive().Update(t.Context(), func(tx drive.Tx) error {
		for i := range n {
			if err := tx.PutMessage(drive.Message{ID: fmt.Sprint("m", i), Release: "r", Body: []byte("{}"), NotBefore: r.clock()}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return r, drive.New(drive.Config{Store: r.store.Drive(), Now: r.clock, Deliver: func(ctx context.Context, _ drive.Message) error { return deliver(ctx, r) }})
}

// dueIn is how many messages another server finds after so much time.
func (r *rig) dueIn(after time.Duration) (n int) {
	r.t.Helper()
	err := r.store.Drive().View(context.Background(), func(tx drive.Tx) error {
		due, err := tx.DueMessages(r.clock().Add(after), 0)
		n = len(due)
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return n
}

func TestAServerThatStopsGivesBackTheMessagesItHasNotSent(t *testing.T) {
	sending := make(chan struct{}, 10)
	r, d := withMessages(t, 3, func(ctx context.Context, _ *rig) error {
		sending <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	<-sending
	if n := r.dueIn(0); n != 0 {
		t.Errorf("while the first of three is sent, another server finds %d", n)
	}
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if n := r.dueIn(0); n != 3 || len(sending) > 0 {
		t.Errorf("after the stop another server finds %d of 3", n)
	}
}

func TestAMessageThatWasSentAsTheServerStopsIsNotSentAgain(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	r, d := withMessages(t, 2, func(context.Context, *rig) error {
		stop()
		return nil
	})
	if err := d.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if n := r.dueIn(time.Hour); n != 1 {
		t.Errorf("%d messages are left, want the one that was not sent", n)
	}
}

// Messages are claimed for a short time, and for longer while they are sent.
func TestMessagesOfASlowReceiverStayClaimedAndThoseOfADeadServerDoNot(t *testing.T) {
	type look struct{ soon, later int }
	looks := make(chan look, 10)
	_, d := withMessages(t, 4, func(_ context.Context, r *rig) error {
		looks <- look{r.dueIn(10 * time.Second), r.dueIn(16 * time.Second)}
		r.pass(10 * time.Second)
		return nil
	})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	for left := 4; left > 0; left-- {
		if got := <-looks; got.soon != 0 || got.later != left {
			t.Errorf("with %d to be sent, another server finds %d after 10 s and %d after 16 s", left, got.soon, got.later)
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}

// A server that stood still while it sent a message gives up none that another one has claimed.
func TestAMessageThatAnotherServerHasIsNotGivenUp(t *testing.T) {
	next, sent := make(chan struct{}), 0
	r, d := withMessages(t, 2, func(ctx context.Context, r *rig) error {
		if sent++; sent == 2 {
			close(next)
		}
		if sent > 1 {
			return nil
		}
		r.update(func(tx drive.Tx) error {
			due, err := tx.DueMessages(r.clock().Add(time.Hour), 1)
			if err != nil {
				return err
			}
			return tx.MoveMessage(due[0].ID, due[0].NotBefore, r.clock().Add(time.Minute))
		})
		return fault.Errorf(fault.Invalid, "the receiver does not know it any more")
	})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	<-next
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if n := r.dueIn(time.Hour); n != 1 {
		t.Errorf("%d messages are left, want the one of the other server", n)
	}
}
