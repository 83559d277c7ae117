package rival

import (
	"math"
	"slices"
)

// midranks are the ranks of x among x and y together, ties sharing the mean of theirs,
// and the sum of t³ − t over the ties.
func midranks(x, y []float64) (ranks []float64, ties float64) {
	all := slices.Concat(x, y)
	slices.Sort(all)
	ranks = make([]float64, len(x))
	for i, v := range x {
		low, _ := slices.BinarySearch(all, v)
		high := low
		for high < len(all) && all[high] == v {
			high++
		}
		ranks[i] = float64(low+high+1) / 2
	}
	for i := 0; i < len(all); {
		j := i
		for j < len(all) && all[j] == all[i] {
			j++
		}
		t := float64(j - i)
		ties += t*t*t - t
		i = j
	}
	return ranks, ties
}

// shiftBound is where Wilcoxon's standardised rank sum of x − μ against y, with the
// corrections for continuity and ties, is z: the normal approximation of a confidence
// bound of the shift between both (z > 0: its lower bound; 0: the Hodges–Lehmann
// estimate). It is how R's wilcox.test and Kayenta compute it. ok is false where all
// values are equal.
func shiftBound(x, y []float64, z float64) (shift float64, ok bool) {
	low, high := slices.Min(x)-slices.Max(y), slices.Max(x)-slices.Min(y)
	atLow, ok1 := standardised(x, y, low)
	atHigh, ok2 := standardised(x, y, high)
	switch {
	case !ok1 || !ok2:
		return 0, false
	case atLow <= z:
		return low, true
	case atHigh >= z:
		return high, true
	}
	for range 40 {
		middle := (low + high) / 2
		s, ok := standardised(x, y, middle)
		switch {
		case !ok:
			return 0, false
		case s == z:
			return middle, true // anywhere on the flat part will do
		case s > z:
			low = middle
		default:
			high = middle
		}
	}
	return (low + high) / 2, true
}

func standardised(x, y []float64, shift float64) (float64, bool) {
	moved := make([]float64, len(x))
	for i, v := range x {
		moved[i] = v - shift
	}
	ranks, ties := midranks(moved, y)
	n, m := float64(len(x)), float64(len(y))
	d := -n*(n+1)/2 - n*m/2
	for _, r := range ranks {
		d += r
	}
	sigma := math.Sqrt(n * m / 12 * (n + m + 1 - ties/((n+m)*(n+m-1))))
	if !(sigma > 0) {
		return 0, false
	}
	switch {
	case d > 0:
		d -= 0.5
	case d < 0:
		d += 0.5
	}
	return d / sigma, true
}

// greater is the exact one-sided p-value of the rank-sum test that x tends to be
// greater than y: the share of all ways to deal out the (mid)ranks in which x gets at
// least as much. It counts them by dynamic programming, so ties are exact too.
func greater(x, y []float64) float64 {
	ranks, _ := midranks(x, y)
	others, _ := midranks(y, x)
	// Twice a midrank is an integer.
	observed, most := 0, 0
	var all []int
	for _, r := range ranks {
		observed += int(2 * r)
	}
	for _, r := range slices.Concat(ranks, others) {
		all = append(all, int(2*r))
		most += int(2 * r)
	}
	ways := make([][]float64, len(x)+1) // [how many][sum]
	for i := range ways {
		ways[i] = make([]float64, most+1)
	}
	ways[0][0] = 1
	for _, r := range all {
		for k := len(x); k > 0; k-- {
			for s := most; s >= r; s-- {
				ways[k][s] += ways[k-1][s-r]
			}
		}
	}
	var total, above float64
	for s, n := range ways[len(x)] {
		total += n
		if s >= observed {
			above += n
		}
	}
	return above / total
}
