package router

import (
	"context"
	"time"
)

// exchange is one request on its way through the router, as it is counted.
type exchange struct {
	route   *liveRoute
	arm     *liveArm
	backend *backend
	// started and ended are when the request began and when it was over.
	started, ended time.Time
	// cookie is the Set-Cookie line that the answer must carry; mostly empty.
	cookie  string
	outcome outcome
	// counted is set once the request is in the counters.
	counted bool
	// cancel ends a request over HTTP/2; nil otherwise.
	cancel context.CancelCauseFunc
}

// direct chooses route and arm; it returns false where no route answers.
func (x *exchange) direct(s *site, host string, r request) bool {
	if s != nil {
		x.route = s.route(host)
	}
	if x.route == nil {
		return false
	}
	var key string
	if x.route.sticky != nil {
		key, x.cookie = x.route.sticky.key(r)
	}
	x.arm = x.route.arm(key)
	return true
}

// choose gives the request to a backend of its arm, in place of the one before.
func (x *exchange) choose(b *backend) {
	if x.backend != nil {
		x.backend.counts.inflight.Add(-1)
	}
	b.counts.inflight.Add(1)
	x.backend = b
}

// answered notes the status of the answer.
func (x *exchange) answered(status int) {
	x.outcome = outcomeOK
	if status >= 500 {
		x.outcome = outcomeStatus
	}
}

// count puts the request into the counters, once.
func (x *exchange) count() {
	if !x.counted {
		x.counted, x.ended = true, time.Now()
		x.backend.counts.record(x.outcome, x.ended.Sub(x.started))
	}
}

// end counts the request and lets go of its backend.
func (x *exchange) end() {
	if x.backend == nil {
		return
	}
	if x.counted { // a stream, counted when it began
		x.ended = time.Now()
	}
	x.count()
	x.backend.counts.inflight.Add(-1)
}
