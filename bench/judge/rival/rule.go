// Package rival plays the rules of other tools, as their documentation and code state
// them, and an oracle.
//
// A tool is a rule, which looks at numbers and has an opinion, and a schedule, which
// moves the weight. Each rule can also be played on Fairway's weights: what is then
// left of the difference is the judge's part.
//
// The rules are described in words of our own beside each, with the address of the
// documentation or of the code that they were checked against. Where a tool's example
// would query the whole service, the canary alone is queried, which is kinder.
package rival

import (
	"math"
	"time"

	"github.com/fairwayhq/fairway/bench/judge/world"
)

// opinion is what a rule says after a reading.
type opinion int

const (
	quiet opinion = iota // nothing was checked
	good                 // a check succeeded
	bad                  // a check failed; the release goes on
	fail                 // take it back
)

// rule looks at the service. It is asked at every scrape and checks when it is due.
type rule interface {
	look(now time.Duration, w *window) opinion
}

// window is the last readings, as range queries see them.
type window struct {
	scrape time.Duration
	last   []world.Reading
}

const longestRange = 5 * time.Minute

func (w *window) push(r *world.Reading) {
	w.last = append(w.last, *r)
	if most := int(longestRange / w.scrape); len(w.last) > most {
		w.last = append(w.last[:0], w.last[len(w.last)-most:]...)
	}
}

// arm picks one side of a reading.
type arm func(*world.Reading) *world.Counts

func canaryOf(r *world.Reading) *world.Counts { return &r.Canary }
func stableOf(r *world.Reading) *world.Counts { return &r.Stable }

// over sums an arm over the last span, and says how many good scrapes are in it. A
// range query needs two.
func (w *window) over(span time.Duration, of arm) (sum stats, scrapes int) {
	from := len(w.last) - max(1, int(span/w.scrape))
	for i := max(0, from); i < len(w.last); i++ {
		if w.last[i].Lost {
			continue
		}
		scrapes++
		c := of(&w.last[i])
		sum.requests += float64(c.Requests)
		sum.errors += float64(c.Errors)
		for b, n := range c.Latency {
			sum.latency[b] += float64(n)
		}
	}
	return sum, scrapes
}

// least is how many good scrapes a range over one minute must have.
func (w *window) least() int { return min(2, max(1, int(time.Minute/w.scrape))) }

// stats are an arm's counts.
type stats struct {
	requests, errors float64
	latency          [len(world.Counts{}.Latency)]float64
}

// success is the share of good answers; NaN without requests, as 0/0 is in PromQL.
func (s *stats) success() float64 { return 1 - s.failures() }

func (s *stats) failures() float64 {
	if s.requests == 0 {
		return math.NaN()
	}
	return s.errors / s.requests
}

// percentile99 interpolates in seconds as PromQL's histogram_quantile does; the last
// bound stands for everything above it, NaN for no requests.
func (s *stats) percentile99() float64 {
	rank, below := 0.99*s.requests, 0.0
	if s.requests == 0 {
		return math.NaN()
	}
	for i, n := range s.latency {
		if i == len(world.Bounds) {
			break
		}
		if n > 0 && below+n >= rank {
			low := 0.0
			if i > 0 {
				low = world.Bounds[i-1]
			}
			return low + (world.Bounds[i]-low)*(rank-below)/n
		}
		below += n
	}
	return world.Bounds[len(world.Bounds)-1]
}

// mean is that of the latencies, by the middle of each bucket.
func (s *stats) mean() float64 {
	if s.requests == 0 {
		return math.NaN()
	}
	sum := 0.0
	for i, n := range s.latency {
		switch {
		case i == 0:
			sum += n * world.Bounds[0] / 2
		case i < len(world.Bounds):
			sum += n * (world.Bounds[i-1] + world.Bounds[i]) / 2
		default:
			sum += n * world.Bounds[i-1]
		}
	}
	return sum / s.requests
}

// timer tells when something that happens at regular times is due.
type timer struct{ next, every time.Duration }

func (t *timer) due(now time.Duration) bool {
	if now < t.next {
		return false
	}
	t.next += t.every
	return true
}
