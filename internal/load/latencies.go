package load

import (
	"math"
	"time"
)

// Latencies counts durations in buckets that grow by 5 %, from 10 µs to about
// ten minutes, so a quantile is exact to 5 %.
type Latencies struct {
	counts [bucketCount]int
	total  int
	most   time.Duration
}

const (
	bucketCount  = 370
	bucketFirst  = 10 * time.Microsecond
	bucketFactor = 1.05
)

var logFactor = math.Log(bucketFactor)

// Add counts one duration.
func (l *Latencies) Add(d time.Duration) {
	i := 0
	if d > bucketFirst {
		i = int(math.Ceil(math.Log(float64(d)/float64(bucketFirst)) / logFactor))
	}
	l.counts[min(i, bucketCount-1)]++
	l.total++
	l.most = max(l.most, d)
}

// Count is how many durations were added.
func (l *Latencies) Count() int { return l.total }

// Quantile is the upper end of the bucket with the q-th quantile, q in [0, 1], and
// never above the largest duration; 0 where nothing was added.
func (l *Latencies) Quantile(q float64) time.Duration {
	rank := int(math.Ceil(q * float64(l.total)))
	seen := 0
	for i, n := range l.counts {
		seen += n
		if n > 0 && seen >= rank {
			return min(l.most, time.Duration(float64(bucketFirst)*math.Pow(bucketFactor, float64(i))))
		}
	}
	return l.most
}
