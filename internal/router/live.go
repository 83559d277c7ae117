package router

import (
	"context"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"net"
	"strings"
	"sync/atomic"
	"time"
)

// site is what one listening address serves: its routes by host. It is never
// changed; an update replaces it.
type site struct {
	byHost map[string]*liveRoute
	rest   *liveRoute // answers to every other host; may be nil
}

// route returns the route for a Host header, or nil.
func (s *site) route(host string) *liveRoute {
	if len(s.byHost) == 0 {
		return s.rest
	}
	if r := s.byHost[hostname(host)]; r != nil {
		return r
	}
	return s.rest
}

// hostname returns the name in a Host header, lower-case and without its port.
func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// liveRoute is a route as requests meet it.
type liveRoute struct {
	target  string
	sticky  *Sticky
	timeout time.Duration
	arms    []*liveArm // those with weight
}

type liveArm struct {
	revision string
	weight   int
	backends []*backend
	fault    *Fault
	next     atomic.Uint32
}

// backend is one instance as requests meet it; it lives as long as the
// instance is in the table, over any number of updates.
type backend struct {
	address string
	counts  *recorder
	// failed is when a connection to it last failed, in Unix nanoseconds.
	failed atomic.Int64
	// cut ends when the backend has left the table and its drain timeout is over.
	cut    context.Context
	cutOff context.CancelFunc
	drain  time.Duration // guarded by the registry
	idle   pool
}

// arm chooses where a request goes. key is its sticky key; without one the
// choice is an independent uniform draw.
func (r *liveRoute) arm(key string) *liveArm {
	if len(r.arms) == 1 {
		return r.arms[0]
	}
	if key != "" {
		return r.keyed(key)
	}
	n := rand.IntN(Whole)
	for _, a := range r.arms[1:] {
		if n -= a.weight; n < 0 {
			return a
		}
	}
	return r.arms[0]
}

// keyed is weighted rendezvous hashing: each arm draws an exponential of its
// weight as rate from the hash of key and revision, and the first to ring wins.
// An arm wins with the probability of its weight, and more weight makes it ring
// earlier for every key, so that a key it had it keeps.
func (r *liveRoute) keyed(key string) *liveArm {
	best, first := r.arms[0], math.Inf(1)
	for _, a := range r.arms {
		if at := -math.Log(uniform(key, a.revision)) / float64(a.weight); at < first {
			best, first = a, at
		}
	}
	return best
}

// uniform hashes to (0, 1).
func uniform(key, revision string) float64 {
	h := fnv.New64a()
	h.Write([]byte(key))
	h.Write([]byte{0})
	h.Write([]byte(revision))
	x := h.Sum64()
	// FNV mixes its last bytes badly into the high bits; the finisher of SplitMix64 does.
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	x ^= x >> 31
	return (float64(x>>11) + 0.5) / (1 << 53)
}

// rest is how long a backend that could not be connected to is tried last.
const rest = 500 * time.Millisecond

// turn goes through an arm's backends, each request from the next one on,
// first those that did not fail lately.
type turn struct {
	arm     *liveArm
	now     int64
	start   uint32
	i       uint32
	resting bool
}

func (a *liveArm) turn(now time.Time) turn {
	return turn{arm: a, now: now.UnixNano(), start: a.next.Add(1)}
}

// next returns the backend to try, or nil when all were tried.
func (t *turn) next() *backend {
	n := uint32(len(t.arm.backends))
	for {
		if t.i == n {
			if t.resting {
				return nil
			}
			t.i, t.resting = 0, true
		}
		b := t.arm.backends[(t.start+t.i)%n]
		t.i++
		if b.resting(t.now) == t.resting {
			return b
		}
	}
}

// resting says whether a connection failed within rest before now. A failure
// after now, in this very turn, does not make it rest, or it would be tried twice.
func (b *backend) resting(now int64) bool {
	f := b.failed.Load()
	return f != 0 && f < now && now-f < int64(rest)
}
