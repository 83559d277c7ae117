package metric

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
)

// Native histograms are handed on with the bounds 2^(i/2) seconds from 0.5 ms to
// 64 s, or with 2^(i/2) milliseconds over the same range. Buckets of every finer
// schema nest in them exactly, so an exporter may lower its resolution without the
// bounds changing. Buckets that factor apart serve the judge as well as finer ones,
// because it interpolates nothing.
const (
	nativeSchema   = 1
	nativeLowest   = -11 // 2^-11 s
	nativeHighest  = 6   // 2^6 s
	boundTolerance = 1e-9
)

// snapshot is a histogram at an instant: its counts up to each of the bounds at
// which they are known exactly, and its total last.
type snapshot struct {
	t      int64
	bounds []float64
	counts []float64
}

// histogramSeries are the snapshots of one set of labels, in order of time.
type histogramSeries struct {
	instance  string
	snapshots []snapshot
}

// readHistograms takes the histograms out of an answer that may hold native
// ones, classic ones (a series per bucket, told apart by the label le), or the
// same ones as both; then the native ones are used. Their bounds are turned into seconds.
func readHistograms(answer []promSeries, configured string, u unit) (map[string]histogramSeries, error) {
	all := map[string]histogramSeries{}
	bounds := grids{unit: u, of: map[gridShape][]float64{}}
	for _, raw := range answer {
		if len(raw.Histograms) == 0 {
			continue
		}
		s := histogramSeries{instance: instanceOf(raw.Metric, configured)}
		for i, h := range raw.Histograms {
			snap, err := h.snapshot(bounds)
			if err != nil && (i == len(raw.Histograms)-1 || !errors.Is(err, errNotANumber)) {
				return nil, fmt.Errorf("%s %w", labelsOf(raw.Metric), err)
			}
			if err == nil {
				s.snapshots = append(s.snapshots, snap)
			}
		}
		all[seriesKey(raw.Metric, "__name__")] = s
	}
	if len(all) > 0 {
		return all, nil
	}
	return readClassic(answer, configured, u)
}

var errNotANumber = errors.New("holds a count that is not a number")

// snapshot merges the buckets down to the bounds that are handed on.
func (h promHistogram) snapshot(known grids) (snapshot, error) {
	schema, zero, err := h.shape()
	if err != nil {
		return snapshot{}, err
	}
	s := snapshot{t: h.t, bounds: known.get(min(schema, nativeSchema), zero)}
	sum, next := 0.0, 0
	for _, bound := range s.bounds {
		for next < len(h.buckets) && known.unit.seconds(h.buckets[next].right) <= bound*(1+boundTolerance) {
			sum += h.buckets[next].count
			next++
		}
		s.counts = append(s.counts, sum)
	}
	s.counts = append(s.counts, max(sum, h.count))
	if math.IsNaN(h.count) || slices.ContainsFunc(s.counts, notACount) {
		return snapshot{}, errNotANumber
	}
	return s, nil
}

func notACount(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) || v < 0 }

// shape finds the schema (buckets are a factor of 2^(2^-schema) apart) and the
// width of the zero bucket.
func (h promHistogram) shape() (schema int, zero float64, err error) {
	schema = nativeSchema
	last := math.Inf(-1)
	found := false
	for _, b := range h.buckets {
		if !(b.left < b.right) || b.left < last || b.count < 0 {
			return 0, 0, errors.New("holds buckets that are not in order")
		}
		last = b.right
		switch {
		case b.right <= 0 || math.IsInf(b.right, 1):
		case b.left <= 0:
			zero = b.right
		case !found:
			found = true
			exponent := -math.Log2(math.Log2(b.right / b.left))
			schema = int(math.Round(math.Max(-10, math.Min(10, exponent))))
			place := math.Log2(b.right) * math.Exp2(float64(schema))
			if math.Abs(exponent-float64(schema)) > 1e-3 || math.Abs(place-math.Round(place)) > 1e-3 {
				return 0, 0, errors.New("is a native histogram with custom buckets, which is not supported; select the classic one")
			}
		}
	}
	return schema, zero, nil
}

// grids keeps the bounds of each shape, in seconds, so that equal ones are one slice.
type grids struct {
	unit unit
	of   map[gridShape][]float64
}

type gridShape struct {
	schema int
	zero   float64
}

func (g grids) get(schema int, zero float64) []float64 {
	if zero < math.Exp2(nativeLowest+g.unit.doublings()) {
		zero = 0
	}
	shape := gridShape{schema, zero}
	if g.of[shape] == nil {
		g.of[shape] = nativeBounds(schema, zero, g.unit)
	}
	return g.of[shape]
}

// nativeBounds are the bounds of the schema that are handed on, in seconds; within the zero
// bucket nothing is known.
func nativeBounds(schema int, zero float64, u unit) []float64 {
	var bounds []float64
	perDoubling := math.Exp2(float64(schema))
	for i := math.Ceil((nativeLowest + u.doublings()) * perDoubling); i <= (nativeHighest+u.doublings())*perDoubling; i++ {
		if b := math.Exp2(i / perDoubling); b >= zero*(1-boundTolerance) {
			bounds = append(bounds, u.seconds(b))
		}
	}
	return bounds
}

// bucketSeries is one bucket of a classic histogram over time.
type bucketSeries struct {
	le     float64
	values []promValue
}

func readClassic(answer []promSeries, configured string, u unit) (map[string]histogramSeries, error) {
	groups, labels := map[string][]bucketSeries{}, map[string]map[string]string{}
	for _, raw := range answer {
		text, ok := raw.Metric["le"]
		if !ok {
			return nil, fmt.Errorf("%s is not a histogram", labelsOf(raw.Metric))
		}
		le, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(le) {
			return nil, fmt.Errorf("%s has a bound that is not a number", labelsOf(raw.Metric))
		}
		key := seriesKey(withoutLE(raw.Metric), "__name__")
		groups[key] = append(groups[key], bucketSeries{u.seconds(le), raw.Values})
		labels[key] = raw.Metric
	}
	all := map[string]histogramSeries{}
	for key, buckets := range groups {
		snapshots, err := classicSnapshots(buckets)
		if err != nil {
			return nil, fmt.Errorf("%s %w", labelsOf(withoutLE(labels[key])), err)
		}
		all[key] = histogramSeries{instanceOf(labels[key], configured), snapshots}
	}
	return all, nil
}

func withoutLE(labels map[string]string) map[string]string {
	rest := make(map[string]string, len(labels))
	for name, value := range labels {
		if name != "le" {
			rest[name] = value
		}
	}
	return rest
}

// classicSnapshots puts the buckets of one scrape together. An instant without
// its +Inf bucket is passed over.
func classicSnapshots(buckets []bucketSeries) ([]snapshot, error) {
	slices.SortFunc(buckets, func(a, b bucketSeries) int {
		if a.le < b.le {
			return -1
		}
		return 1
	})
	top := buckets[len(buckets)-1]
	if !math.IsInf(top.le, 1) {
		return nil, errors.New("has no bucket +Inf")
	}
	lower, next := buckets[:len(buckets)-1], make([]int, len(buckets)-1)
	var snapshots []snapshot
	var shared []float64
	for i, total := range top.values {
		s := snapshot{t: total.t}
		highest := 0.0
		for j, b := range lower {
			for next[j] < len(b.values) && b.values[next[j]].t < total.t {
				next[j]++
			}
			again := j > 0 && b.le == lower[j-1].le // the same bound, written in two ways
			if next[j] < len(b.values) && b.values[next[j]].t == total.t && !again && !math.IsInf(b.le, 1) {
				// The buckets of one scrape may be a few requests apart in time.
				highest = math.Max(highest, b.values[next[j]].v)
				s.bounds, s.counts = append(s.bounds, b.le), append(s.counts, highest)
			}
		}
		s.counts = append(s.counts, math.Max(highest, total.v))
		if slices.ContainsFunc(s.counts, notACount) {
			if i == len(top.values)-1 {
				return nil, errNotANumber
			}
			continue
		}
		if slices.Equal(s.bounds, shared) {
			s.bounds = shared
		}
		shared = s.bounds
		snapshots = append(snapshots, s)
	}
	return snapshots, nil
}

// commonBounds returns the bounds at which all snapshots are exact. had are
// those of earlier looks, nil if there were none; bounds are only ever dropped.
func commonBounds(had []float64, all ...map[string]histogramSeries) []float64 {
	common := had
	var checked []float64
	for _, histograms := range all {
		for _, s := range histograms {
			for _, snap := range s.snapshots {
				switch {
				case common == nil:
					common = append([]float64{}, snap.bounds...)
				case len(checked) == len(snap.bounds) && (len(checked) == 0 || &checked[0] == &snap.bounds[0]):
				default:
					common = slices.DeleteFunc(slices.Clone(common), func(b float64) bool { return boundIndex(snap.bounds, b) < 0 })
				}
				checked = snap.bounds
			}
		}
	}
	return common
}

// boundIndex finds a bound among rising bounds, or returns -1.
func boundIndex(bounds []float64, bound float64) int {
	i, _ := slices.BinarySearch(bounds, bound*(1-boundTolerance))
	if i < len(bounds) && sameBound(bounds[i], bound) {
		return i
	}
	return -1
}

func sameBound(a, b float64) bool {
	return a == b || math.Abs(a-b) <= boundTolerance*math.Max(math.Abs(a), math.Abs(b))
}

// project keeps of counts at from, and the total, those at to.
func project(counts, from, to []float64) []float64 {
	kept := make([]float64, 0, len(to)+1)
	for _, b := range to {
		kept = append(kept, counts[boundIndex(from, b)])
	}
	return append(kept, counts[len(counts)-1])
}

// at returns the series as readings at the bounds.
func (s histogramSeries) at(bounds []float64) series {
	out := series{instance: s.instance}
	for _, snap := range s.snapshots {
		out.readings = append(out.readings, reading{snap.t, project(snap.counts, snap.bounds, bounds)})
	}
	return out
}
