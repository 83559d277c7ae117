package worker

import (
	"context"
	"sync"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/stage"
)

// Greeter is a server that may be of another build, and on a machine with another clock.
type Greeter interface {
	Hello(ctx context.Context, h stage.Hello) (stage.Welcome, error)
}

const (
	// MostOff is how far the worker's clock may be off the server's, beyond what the way to it
	// leaves in doubt. Below it the worker goes by the server's clock.
	MostOff = time.Minute
	// greetEvery is how often the worker looks again whether all still fits.
	greetEvery = time.Minute
	// greetWait is how long it waits for the server's answer.
	greetWait = 10 * time.Second
)

// greeting is what the worker knows of its server.
type greeting struct {
	mu sync.Mutex
	// at is when they last found that they fit, wire what the server speaks, off what its
	// clock was found to be off by.
	at   time.Time
	wire int
	off  time.Duration
}

// greet makes sure that server and worker understand each other and have about the same
// time, and returns the version of the wire that the server speaks. A fault says why no tasks
// may be asked for.
func (w *Worker) greet(ctx context.Context) (wire int, err error) {
	g := &w.greeting
	g.mu.Lock()
	defer g.mu.Unlock()
	if w.c.Greeter == nil || time.Since(g.at) < greetEvery {
		return g.wire, nil
	}
	ctx, cancel := context.WithTimeout(ctx, greetWait)
	defer cancel()
	hello := stage.Hello{
		Worker: w.c.Name, Environments: w.c.Environments, Regions: w.c.Regions,
		Wire: stage.Wire, OldestWire: stage.OldestServer, Version: w.c.Version,
	}
	sent := w.c.Wall().Round(0)
	began := time.Now()
	welcome, err := w.c.Greeter.Hello(ctx, hello)
	took := time.Since(began)
	if fault.CodeOf(err) == fault.NotFound { // from before there were greetings
		welcome, err = stage.Welcome{Wire: 1, OldestWire: 1, Version: "older"}, nil
	}
	switch {
	case err != nil:
		return 0, err
	case !welcome.Understood(hello):
		return 0, fault.Errorf(fault.Conflict, "this worker (%s) speaks the versions %d to %d of the wire, and the server (%s) the versions %d to %d",
			w.c.Version, hello.OldestWire, hello.Wire, welcome.Version, welcome.OldestWire, welcome.Wire).
			WithHint("update the older of the two; until then the worker takes no tasks")
	}
	if !welcome.Now.IsZero() {
		if err := w.compareClocks(sent.Add(took/2), welcome.Now, took/2); err != nil {
			return 0, err
		}
	}
	if g.at.IsZero() {
		w.c.Log.Info("The worker and its server understand each other.", "worker", w.c.Name,
			"environments", w.c.Environments, "regions", w.c.Regions, "version", welcome.Version, "clockOff", g.off)
	}
	if welcome.Wire != g.wire { // there may be something else to wish for
		wake(w.places.freed)
		wake(w.places.filled)
	}
	g.at, g.wire = time.Now(), welcome.Wire
	return g.wire, nil
}

// understandsNoPlaces notes that a server does not know the words for what a worker has places
// for. Servers may be of several builds, so that holds until the next greeting.
func (w *Worker) understandsNoPlaces() {
	w.greeting.mu.Lock()
	defer w.greeting.mu.Unlock()
	w.greeting.wire = min(w.greeting.wire, stage.WirePlaces-1)
}

// compareClocks takes over the server's time, or refuses where it is too far away. mine is
// this machine's time at about the instant of the server's, with doubt to both sides. The caller
// holds the lock of the greeting.
func (w *Worker) compareClocks(mine, server time.Time, doubt time.Duration) error {
	off := server.Sub(mine)
	if off.Abs()-doubt > MostOff {
		return fault.Errorf(fault.Conflict, "the clock of this machine says %s and the server's says %s, which is %s apart; at most %s is allowed",
			mine.UTC().Format(time.RFC3339), server.UTC().Format(time.RFC3339), off.Abs().Round(time.Second), MostOff).
			WithHint("set both clocks by NTP (chrony, systemd-timesyncd); the worker takes tasks as soon as they agree")
	}
	if w.c.ClockOff != nil && (off-w.greeting.off).Abs() > doubt {
		w.greeting.off = off
		w.c.ClockOff(off)
	}
	return nil
}
