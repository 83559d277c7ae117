package drive_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/drive"
)

// watched is a store that tells before each update which one it is.
type watched struct {
	drive.Store
	updates atomic.Int64
	at      func(n int64)
}

func (w *watched) Update(ctx context.Context, f func(drive.Tx) error) error {
	w.at(w.updates.Add(1))
	return w.Store.Update(ctx, f)
}

func TestAServerThatWakesManyReleasesCountsAsAlive(t *testing.T) {
	r := newRig(t)
	for range 210 { // more than are woken between two looks
		r.ship(strings.Replace(oneStage, "service: shop", fmt.Sprint("service: shop", r.n), 1))
	}
	r.pass(time.Hour)
	var middle time.Time
	alive := make(chan time.Time, 1)
	w := &watched{Store: r.store.Drive()}
	d := drive.New(drive.Config{Store: w, Now: r.clock})
	w.at = func(n int64) {
		switch n { // a sign of life, then 200 releases of one look
		case 1 + 100:
			middle = time.Now()
		case 1 + 205:
			alive <- d.Alive()
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	at := <-alive
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if !at.After(middle) {
		t.Errorf("while it wakes the last ones, the loop has looked last %s before the middle", middle.Sub(at))
	}
}
