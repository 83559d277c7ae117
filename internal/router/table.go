package router

import (
	"errors"
	"maps"
	"slices"
	"time"
)

// Whole is all the traffic of a route in parts per million.
const Whole = 1_000_000

// TableVersion is the version of the table's form on disk.
const TableVersion = 1

// ErrFenced is in the chain of the error with which a route refuses a fence
// that is older than one it has already accepted.
var ErrFenced = errors.New("a newer fence holds the route")

// Table is everything that the router serves.
type Table struct {
	Version int `json:"version"`
	// Serial grows with every change of any route. The router sets it.
	Serial int64 `json:"serial"`
	// Routes are keyed by target, for instance "shop/production".
	Routes map[string]Route `json:"routes"`
}

// Route says where the traffic of one target comes in and how it is split.
//
// A route without arms is only a claim: it remembers its fence and serves
// nothing. That is what is left of a deleted route.
type Route struct {
	// Fence is the highest fence accepted. An update with an older one is refused.
	Fence int64 `json:"fence"`
	// Holder is who brought the fence, for people.
	Holder string `json:"holder,omitempty"`
	// Generation grows with every change of the route. The router sets it.
	Generation int64 `json:"generation"`
	// Listen is the address to accept traffic on, for instance "127.0.0.1:8080".
	// With port 0 the system chooses one and the router writes it here. Several
	// routes may share an address when their hosts differ.
	Listen string `json:"listen,omitempty"`
	// TLS makes the address speak TLS with the router's certificate.
	TLS bool `json:"tls,omitempty"`
	// Hosts are the names that the route answers to, without port. Empty means
	// every name that no other route on the address answers to.
	Hosts []string `json:"hosts,omitempty"`
	// Home is the revision that last had all the traffic. The router sets it
	// when the weights give one arm everything and keeps it otherwise.
	Home   string  `json:"home,omitempty"`
	Sticky *Sticky `json:"sticky,omitempty"`
	Arms   []Arm   `json:"arms,omitempty"`
	// DrainTimeout is how long a request in flight may go on after its backend
	// left the table; it is then cut off. 0 means no limit.
	DrainTimeout time.Duration `json:"drainTimeout,omitempty"`
	// Timeout is how long a backend may take to begin its answer once it has the
	// request; 0 means one minute.
	Timeout time.Duration `json:"timeout,omitempty"`
}

// Sticky keeps one user on one arm, by the hash of a key. Exactly one of Cookie
// and Header is set. While weights stay, the same key meets the same arm; when
// an arm's weight grows, keys only move to it, never away from it.
type Sticky struct {
	// Cookie is the name of the cookie that holds the key. A request without it
	// gets one with a random key.
	Cookie string `json:"cookie,omitempty"`
	// MaxAge is the age that a new cookie is given; 0 makes it a session cookie.
	MaxAge time.Duration `json:"maxAge,omitempty"`
	// Header is the name of the header that holds the key. A request without it
	// is drawn at random.
	Header string `json:"header,omitempty"`
}

// Arm is one revision with its share of the traffic.
type Arm struct {
	Revision string `json:"revision"`
	// Weight is the share in parts per million; all weights of a route sum to Whole.
	Weight   int       `json:"weight"`
	Backends []Backend `json:"backends,omitempty"`
	// Fault is harm that is done to the arm's requests on purpose; nil is none.
	Fault *Fault `json:"fault,omitempty"`
}

// Backend is one instance of a revision. Two backends with one address but
// different StartedAt are different instances with counters of their own.
type Backend struct {
	Address   string    `json:"address"`
	StartedAt time.Time `json:"startedAt,omitzero"`
}

// Arm returns the arm of the revision.
func (r Route) Arm(revision string) (Arm, bool) {
	for _, a := range r.Arms {
		if a.Revision == revision {
			return a, true
		}
	}
	return Arm{}, false
}

// Served says whether the route takes traffic.
func (r Route) Served() bool { return len(r.Arms) > 0 }

// clone returns a copy that shares nothing with t.
func (t Table) clone() Table {
	c := Table{Version: t.Version, Serial: t.Serial, Routes: maps.Clone(t.Routes)}
	if c.Routes == nil {
		c.Routes = map[string]Route{}
	}
	for target, route := range c.Routes {
		c.Routes[target] = route.clone()
	}
	return c
}

func (r Route) clone() Route {
	r.Hosts = slices.Clone(r.Hosts)
	r.Arms = slices.Clone(r.Arms)
	for i := range r.Arms {
		r.Arms[i].Backends = slices.Clone(r.Arms[i].Backends)
		if f := r.Arms[i].Fault; f != nil {
			c := *f
			r.Arms[i].Fault = &c
		}
	}
	if r.Sticky != nil {
		s := *r.Sticky
		r.Sticky = &s
	}
	return r
}

// home returns the revision that has all the traffic, or before where none has.
func (r Route) home(before string) string {
	for _, a := range r.Arms {
		if a.Weight == Whole {
			return a.Revision
		}
	}
	return before
}
