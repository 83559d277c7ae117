package platform

import "time"

// Fault is harm that is done on purpose to the requests of a revision, so that a
// drill can show whether it is noticed. It is part of the revision: it comes with its
// traffic and goes with it, or at Until.
type Fault struct {
	// Errors is the share of requests that are answered with an error, in [0, 1].
	Errors float64 `json:"errors,omitempty"`
	// Delay holds every answer back; Slower holds it back by this share of the time
	// that it took (1 is twice as slow).
	Delay  time.Duration `json:"delay,omitempty"`
	Slower float64       `json:"slower,omitempty"`
	Until  time.Time     `json:"until"`
}

// Injector is the optional ability to do a revision harm. Place on a platform without
// it must not be asked for a revision with a fault.
type Injector interface {
	// Injects returns nil if the platform can do just this harm, or says what is wrong with it.
	Injects(f Fault) error
}
