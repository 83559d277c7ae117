package router

import (
	"context"
	"sync"
	"time"
)

// follower is the process before, while it drains: it serves what connections
// it still has by the table that this process writes, a little later. A change is
// answered only when the follower has reached it, so that whoever takes an
// instance away after that, when nothing is in flight on it, cannot meet a
// request that the follower has just sent there.
type follower struct {
	mu      sync.Mutex
	serial  int64
	changed chan struct{} // closed at the next change; nil when there is no follower
}

// follow begins to wait for a follower.
func (f *follower) follow() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.changed = make(chan struct{})
}

// reached notes the serial of the table that the follower serves by.
func (f *follower) reached(serial int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.serial = serial
	close(f.changed)
	f.changed = make(chan struct{})
}

// gone notes that the follower has ended.
func (f *follower) gone() {
	f.mu.Lock()
	defer f.mu.Unlock()
	close(f.changed)
	f.changed = nil
}

// await returns when the follower has reached the serial, or is gone, or has
// taken longer than it ever should.
func (f *follower) await(ctx context.Context, serial int64) {
	late := time.NewTimer(time.Second)
	defer late.Stop()
	for {
		f.mu.Lock()
		there, changed := f.changed == nil || f.serial >= serial, f.changed
		f.mu.Unlock()
		if there {
			return
		}
		select {
		case <-changed:
		case <-late.C:
			return
		case <-ctx.Done():
			return
		}
	}
}
