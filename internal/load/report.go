package load

import (
	"maps"
	"math"
	"sync"
	"time"
)

// Report is what came back.
type Report struct {
	// Requests are those that were answered or failed.
	Requests int64 `json:"requests"`
	Inflight int64 `json:"inflight"`
	// Failed are those without an answer, and those answered with 500 or above.
	Failed int64 `json:"failed"`
	// Status counts answers by status.
	Status map[int]int64 `json:"status"`
	// Transport counts requests without an answer by class: connect, timeout,
	// closed, broken, too many in flight.
	Transport map[string]int64 `json:"transport"`
	// Versions counts answers by the version header, and what of them failed.
	Versions map[string]Version `json:"versions"`
	Latency  Latency            `json:"-"`
	// Late is how long after its time each request was sent. It is the part of the
	// latency that the machine of the load adds, and nobody's whom it measures.
	Late Latency `json:"-"`
	// Seconds is the time from the first request's to the last answer.
	Seconds float64 `json:"seconds"`
}

// Version is what one version of the service answered.
type Version struct {
	Requests int64   `json:"requests"`
	Failed   int64   `json:"failed"`
	Latency  Latency `json:"-"`
}

// tally collects a report.
type tally struct {
	mu          sync.Mutex
	sum         Report
	versions    map[string]*Version
	start, last time.Time
}

// times are those of one request: when it was due, sent, and answered or failed.
type times struct{ due, sent, done time.Time }

func newTally() tally {
	return tally{versions: map[string]*Version{}, sum: Report{Status: map[int]int64{}, Transport: map[string]int64{}}}
}

func (t *tally) begin(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.start, t.last = now, now
}

func (t *tally) fail(class string, at times) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.count(at)
	t.sum.Failed++
	t.sum.Transport[class]++
}

func (t *tally) answer(status int, version string, at times) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.count(at)
	v := t.versions[version]
	if v == nil {
		v = &Version{}
		t.versions[version] = v
	}
	v.Requests++
	v.Latency.observe(at.done.Sub(at.due))
	if status >= 500 {
		t.sum.Failed++
		v.Failed++
	}
	t.sum.Status[status]++
}

func (t *tally) count(at times) {
	t.last = at.done
	t.sum.Requests++
	t.sum.Latency.observe(at.done.Sub(at.due))
	t.sum.Late.observe(at.sent.Sub(at.due))
}

func (t *tally) report(inflight int64) Report {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.sum
	r.Status, r.Transport, r.Versions = maps.Clone(r.Status), maps.Clone(r.Transport), map[string]Version{}
	for name, v := range t.versions {
		r.Versions[name] = *v
	}
	r.Inflight, r.Seconds = inflight, t.last.Sub(t.start).Seconds()
	return r
}

const (
	// perOctave buckets from a microsecond on: each is 2 % wide.
	perOctave = 32
	octaves   = 28
)

// Latency is a distribution of durations between a microsecond and four
// minutes, to within 2 %.
type Latency struct {
	counts [perOctave * octaves]int64
	n      int64
	max    time.Duration
}

func (l *Latency) observe(d time.Duration) {
	l.counts[bucketOf(d)]++
	l.n++
	l.max = max(l.max, d)
}

func bucketOf(d time.Duration) int {
	if d < time.Microsecond {
		return 0
	}
	i := int(math.Ceil(math.Log2(float64(d)/1e3) * perOctave))
	return min(i, perOctave*octaves-1)
}

// Above is the number of durations longer than d; those within 2 % of it may be
// counted either way.
func (l Latency) Above(d time.Duration) (n int64) {
	for _, c := range l.counts[bucketOf(d)+1:] {
		n += c
	}
	return n
}

// Count is the number of durations.
func (l Latency) Count() int64 { return l.n }

// Max is the longest.
func (l Latency) Max() time.Duration { return l.max }

// Quantile returns the duration below which the share q of all lies; 0 if there
// are none.
func (l Latency) Quantile(q float64) time.Duration {
	rank, sum := q*float64(l.n), int64(0)
	for i, n := range l.counts {
		if n > 0 && float64(sum+n) >= rank {
			within := (rank - float64(sum)) / float64(n)
			at := math.Exp2((float64(i) - 1 + within) / perOctave)
			return min(time.Duration(at*1e3), l.max)
		}
		sum += n
	}
	return l.max
}
