package metric

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// reading is what one series stood at: of a counter one number, of a histogram
// its cumulative counts at each bound and then its total. All of them only grow
// until the process behind the series starts anew.
type reading struct {
	t int64 // milliseconds since 1970
	v []float64
}

// MarshalJSON writes [t, v…], because a cursor holds one reading per series.
func (r reading) MarshalJSON() ([]byte, error) {
	return json.Marshal(append([]float64{float64(r.t)}, r.v...))
}

// UnmarshalJSON reads [t, v…].
func (r *reading) UnmarshalJSON(b []byte) error {
	var all []float64
	if err := json.Unmarshal(b, &all); err != nil {
		return err
	}
	if len(all) < 2 {
		return errors.New("a reading is a time and at least one value")
	}
	r.t, r.v = int64(all[0]), all[1:]
	return nil
}

// track is the last reading of each series, by key.
type track map[string]reading

// series is what an instance exposes under one set of labels.
type series struct {
	instance string
	readings []reading // in order of time
	// amounts says that each reading is what happened in its window, not what was counted up to it.
	amounts bool
}

// step is what happened from one reading to the next.
type step struct {
	from, to int64 // from is 0 where the series was born at to
	reset    bool
	grown    []float64
}

// steps returns what happened after the last known reading. A series that was
// not known before is born with its first reading, and counts it from zero, as
// does one that has been reset.
func (s series) steps(last reading, known bool) []step {
	var steps []step
	for _, r := range s.readings {
		switch {
		case s.amounts && known && r.t <= last.t:
			continue
		case !known || s.amounts:
			steps = append(steps, step{to: r.t, grown: r.v})
		case r.t <= last.t:
			continue
		case len(r.v) != len(last.v) || less(r.v, last.v):
			steps = append(steps, step{from: last.t, to: r.t, reset: true, grown: r.v})
		default:
			steps = append(steps, step{from: last.t, to: r.t, grown: minus(r.v, last.v)})
		}
		last, known = r, true
	}
	return steps
}

// newest returns the last reading at hand.
func (s series) newest(last reading) reading {
	if n := len(s.readings); n > 0 && s.readings[n-1].t > last.t {
		return s.readings[n-1]
	}
	return last
}

func less(a, b []float64) bool {
	for i := range a {
		if a[i] < b[i] {
			return true
		}
	}
	return false
}

func minus(a, b []float64) []float64 {
	d := make([]float64, len(a))
	for i := range a {
		d[i] = a[i] - b[i]
	}
	return d
}

// readCounters takes the counters out of an answer. A native histogram is read
// as the counter of its observations. A value that is not a number is passed
// over, unless it is the latest: then nothing can be said until the next one.
func readCounters(answer []promSeries, configured string, asked selector) (map[string]series, error) {
	all := map[string]series{}
	for _, raw := range answer {
		s := series{instance: instanceOf(raw.Metric, configured), amounts: asked.windowed()}
		values := raw.Values
		if len(values) == 0 {
			for _, h := range raw.Histograms {
				values = append(values, promValue{h.t, h.count})
			}
		}
		for i, p := range values {
			switch {
			case !math.IsNaN(p.v) && !math.IsInf(p.v, 0) && p.v >= 0:
				s.readings = append(s.readings, reading{p.t, []float64{p.v}})
			case i == len(values)-1 && p.v < 0:
				return nil, fmt.Errorf("%s stands at %g, and a counter is never below zero", labelsOf(raw.Metric), p.v)
			case i == len(values)-1:
				return nil, fmt.Errorf("%s stands at %g, which is not a number", labelsOf(raw.Metric), p.v)
			}
		}
		if !s.amounts && s.sinks() {
			return nil, fmt.Errorf("%s counts backwards at every scrape, as a gauge does and a counter does not", labelsOf(raw.Metric))
		}
		all[seriesKey(raw.Metric, "")] = s
	}
	return all, nil
}

// fallsOfAGauge is how many falls in a row are no restarts of a process.
const fallsOfAGauge = 4

// sinks tells whether the last readings fell one after the other, each by less than
// half: a process that starts anew begins at zero.
func (s series) sinks() bool {
	n := len(s.readings)
	if n <= fallsOfAGauge {
		return false
	}
	for i := n - fallsOfAGauge; i < n; i++ {
		was, is := s.readings[i-1].v[0], s.readings[i].v[0]
		if is >= was || is <= was/2 {
			return false
		}
	}
	return true
}

// instanceOf names the instance behind a series.
func instanceOf(labels map[string]string, configured string) string {
	return labels[instanceLabel(labels, configured)]
}

// instanceLabel is the label that names the instance: the configured one, or
// without one pod where there is a pod, else instance.
func instanceLabel(labels map[string]string, configured string) string {
	switch {
	case configured != "":
		return configured
	case labels["pod"] != "":
		return "pod"
	default:
		return "instance"
	}
}

// seriesKey is a short name for a set of labels without one of them.
func seriesKey(labels map[string]string, without string) string {
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		if name != without {
			fmt.Fprintf(h, "%q=%q,", name, labels[name])
		}
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:9])
}

// labelsOf writes a set of labels for people.
func labelsOf(labels map[string]string) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		if name != "__name__" {
			parts = append(parts, fmt.Sprintf("%s=%q", name, labels[name]))
		}
	}
	return brief(labels["__name__"] + "{" + strings.Join(parts, ",") + "}")
}
