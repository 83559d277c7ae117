package router

import "time"

// Counters are everything that the router counts. All counts but Inflight only
// grow as long as Epoch is the same; an orderly restart and a hand-over keep
// them, a crash begins a new epoch at zero.
type Counters struct {
	Epoch string    `json:"epoch"`
	At    time.Time `json:"at"`
	// Bounds are the upper bounds of all latency histograms, in seconds.
	Bounds []float64 `json:"bounds"`
	// Routes are keyed by target.
	Routes map[string]RouteCounters `json:"routes"`
	// Unrouted counts requests that no route answers to.
	Unrouted int64 `json:"unrouted"`
}

// RouteCounters are the arms of one route by revision, also of revisions that
// have left the table.
type RouteCounters struct {
	Arms map[string]ArmCounters `json:"arms"`
}

// ArmCounters are the counts of one arm, the sum of its backends, also of
// those that have left and are no longer listed.
type ArmCounters struct {
	Counts
	Backends []BackendCounters `json:"backends"`
}

// BackendCounters are the counts of one instance. A reader that wants warm
// instances only takes the increments since the instance became warm.
type BackendCounters struct {
	Backend
	Counts
}

// Counts are what was counted of requests that were given to a backend.
type Counts struct {
	// Requests are those that were answered or failed. A stream (an upgraded
	// connection, server-sent events) counts once, when its answer begins.
	Requests int64 `json:"requests"`
	// Errors are those of the requests that failed, by their class.
	Errors Errors `json:"errors"`
	// Aborted are requests that their client gave up before the answer began.
	// They are neither in Requests nor in Errors.
	Aborted int64 `json:"aborted"`
	// Inflight are the requests under way now, upgraded connections included.
	Inflight int64 `json:"inflight"`
	// Latency runs from the request's head to the last byte of the answer, of a
	// stream to the answer's head.
	Latency Latency `json:"latency"`
}

// Errors are failed requests by class.
type Errors struct {
	// Status: the backend answered with a status of 500 or above.
	Status int64 `json:"status"`
	// Connect: no backend of the arm could be connected to.
	Connect int64 `json:"connect"`
	// Transport: the backend broke off, or its answer was not HTTP.
	Transport int64 `json:"transport"`
	// Timeout: the backend did not answer in time.
	Timeout int64 `json:"timeout"`
}

// Total is the number of failed requests.
func (e Errors) Total() int64 { return e.Status + e.Connect + e.Transport + e.Timeout }

func (e Errors) plus(o Errors, sign int64) Errors {
	return Errors{
		Status:    e.Status + sign*o.Status,
		Connect:   e.Connect + sign*o.Connect,
		Transport: e.Transport + sign*o.Transport,
		Timeout:   e.Timeout + sign*o.Timeout,
	}
}

// Add returns the sum of both.
func (c Counts) Add(o Counts) Counts {
	return Counts{
		Requests: c.Requests + o.Requests,
		Errors:   c.Errors.plus(o.Errors, 1),
		Aborted:  c.Aborted + o.Aborted,
		Inflight: c.Inflight + o.Inflight,
		Latency:  c.Latency.Add(o.Latency),
	}
}

// Sub returns what c counted more than the earlier o. Inflight, which is not
// cumulative, is c's.
func (c Counts) Sub(o Counts) Counts {
	return Counts{
		Requests: c.Requests - o.Requests,
		Errors:   c.Errors.plus(o.Errors, -1),
		Aborted:  c.Aborted - o.Aborted,
		Inflight: c.Inflight,
		Latency:  c.Latency.Sub(o.Latency),
	}
}
