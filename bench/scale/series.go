package main

import (
	"fmt"
	"math"
	"slices"
	"time"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// series are MB of memory over time.
type series struct{ hours, mb []float64 }

func (s *series) add(at time.Duration, mb float64) {
	s.hours, s.mb = append(s.hours, at.Hours()), append(s.mb, mb)
}

func (s series) most() float64 { return slices.Max(s.mb) }
func (s series) last() float64 { return s.mb[len(s.mb)-1] }

// slope bounds the growth in MB per hour from both sides, each with 95 % confidence, by least squares over the
// means of each minute: between two garbage collections memory grows and falls, so samples
// that are close to each other are not independent.
func (s series) slope() (low, high float64) {
	hours, mb := s.minutes()
	n := float64(len(hours))
	if n < 3 {
		return math.Inf(-1), math.MaxFloat64
	}
	_, slope := stat.LinearRegression(hours, mb, nil, false)
	alpha := stat.Mean(mb, nil) - slope*stat.Mean(hours, nil)
	var residuals float64
	for i := range hours {
		d := mb[i] - alpha - slope*hours[i]
		residuals += d * d
	}
	spread := stat.Variance(hours, nil) * (n - 1)
	t := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: n - 2}.Quantile(0.95)
	half := t * math.Sqrt(residuals/(n-2)/spread)
	return slope - half, slope + half
}

func (s series) grows() string {
	low, high := s.slope()
	if math.IsInf(low, -1) {
		return "three minutes at least tell how it grows"
	}
	return fmt.Sprintf("grows by %.2f MB per hour (95 %%: %.2f to %.2f)", (low+high)/2, low, high)
}

// minutes are the means of each minute.
func (s series) minutes() (hours, mb []float64) {
	per := int(time.Minute / sampleEvery)
	for i := 0; i+per <= len(s.mb); i += per {
		hours = append(hours, stat.Mean(s.hours[i:i+per], nil))
		mb = append(mb, stat.Mean(s.mb[i:i+per], nil))
	}
	return hours, mb
}
