package router

import (
	"math/rand/v2"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
)

// Fault is harm that the router does to the requests of one arm on purpose, so that a
// drill can show whether it is noticed. It is never written to disk: a router that
// starts, or takes over, has none.
type Fault struct {
	// ErrorShare is how many of a million requests the router answers with 503
	// itself. They count as errors of the arm.
	ErrorShare int `json:"errorShare,omitempty"`
	// Delay holds every answer back by so long, Slower by so many millionths of the
	// time that the backend took; both together by at most MaxHeldBack.
	Delay  time.Duration `json:"delay,omitempty"`
	Slower int           `json:"slower,omitempty"`
	// Until is when it ends by itself, at most MaxFault after it was put.
	Until time.Time `json:"until"`
}

const (
	// MaxHeldBack is the longest that an answer is held back.
	MaxHeldBack = 10 * time.Second
	// MaxFault is the longest that a fault may last.
	MaxFault = 24 * time.Hour
	// mostSlower is a hundred times as slow.
	mostSlower = 100 * Whole
)

// Validate returns the first fault of the fault.
func (f Fault) Validate() error {
	switch {
	case f.ErrorShare < 0 || f.ErrorShare > Whole:
		return fault.Errorf(fault.Invalid, "the fault's share of errors is %d, which is not between 0 and %d", f.ErrorShare, Whole)
	case f.Delay < 0 || f.Delay > MaxHeldBack || f.Slower < 0 || f.Slower > mostSlower:
		return fault.Errorf(fault.Invalid, "the fault holds answers back by %s and %d millionths, which is too much, or less than nothing", f.Delay, f.Slower)
	case f.ErrorShare == 0 && f.Delay == 0 && f.Slower == 0:
		return fault.Errorf(fault.Invalid, "the fault does nothing")
	case f.Until.IsZero():
		return fault.Errorf(fault.Invalid, "the fault has no end").WithHint("say until when it lasts")
	}
	return nil
}

// harmless refuses a fault where everybody would meet it, and one without a near end.
func (r Route) harmless(now time.Time) error {
	for _, a := range r.Arms {
		switch {
		case a.Fault == nil:
		case a.Weight == Whole || a.Revision == r.Home:
			return fault.Errorf(fault.Invalid, "revision %s is at home or has all the traffic, so it gets no fault", a.Revision).
				WithHint("a fault is for a canary beside a revision that works")
		case a.Fault.Until.Sub(now) > MaxFault:
			return fault.Errorf(fault.Invalid, "the fault of revision %s lasts until %s, which is longer than %s", a.Revision, a.Fault.Until.Format(time.RFC3339), MaxFault)
		}
	}
	return nil
}

// withoutFaults is the table as it is kept on disk.
func (t Table) withoutFaults() Table {
	t = t.clone()
	for _, r := range t.Routes {
		for i := range r.Arms {
			r.Arms[i].Fault = nil
		}
	}
	return t
}

// over says whether the fault is there no more, or never was.
func (f *Fault) over(now time.Time) bool { return f == nil || !now.Before(f.Until) }

// struck draws whether the request is to be answered with an error.
func (x *exchange) struck() bool {
	f := x.arm.fault
	return !f.over(x.started) && f.ErrorShare > 0 && rand.IntN(Whole) < f.ErrorShare
}

// strike makes the request one of the arm's that failed, without asking its backend.
func (x *exchange) strike() {
	turn := x.arm.turn(x.started)
	x.choose(turn.next())
	x.outcome = outcomeStatus
}

// struckText is what a request that was struck is answered.
const struckText = "a drill answered instead of the service"

// holdBack waits before an answer that has come goes on, as the fault says. A backend
// that is cut off waits no longer.
func (x *exchange) holdBack() {
	f := x.arm.fault
	if f.over(x.started) {
		return
	}
	wait := f.Delay + time.Duration(float64(time.Since(x.started))*float64(f.Slower)/Whole)
	if wait <= 0 {
		return
	}
	timer := time.NewTimer(min(wait, MaxHeldBack))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-x.backend.cut.Done():
	}
}
