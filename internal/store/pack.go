package store

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/judge"
	"github.com/fairwayhq/fairway/internal/stage"
)

// A point is stored packed, since a canary leaves one per second with two
// histograms: its JSON would be ten times as long. The form begins with its
// version, 3; numbers are varints, floats 8 bytes little endian, texts and lists
// begin with their length; the bounds of the histograms stand apart as scales:
//
//	version, evidence, weight, at, looked - at, missing, stable, canary
//	arm: requests, errors, instances, warm instances, list of counts,
//	     instances with errors + 1 (0: not known) and for each its name and errors,
//	     0 (no cold instances) or 1 (with the same bounds) or 2 and a list of bounds,
//	     then list of counts of cold instances, and their age
//
// Form 2 knows no single instances and no cold ones, form 1 not when it was looked at either.
// Where there are custom metrics, they follow the arms: see packCustom.
const packVersion = 3

func packPoint(p stage.Point) []byte {
	b := make([]byte, 0, 64+2*len(p.Sample.Stable.Latency.Counts)+2*len(p.Sample.Canary.Latency.Counts))
	b = append(b, packVersion)
	b = packFloat(b, p.Evidence)
	b = packFloat(b, p.Sample.Weight)
	b = binary.AppendVarint(b, nanos(p.Sample.At))
	b = binary.AppendVarint(b, nanos(p.Looked)-nanos(p.Sample.At))
	b = binary.AppendUvarint(b, uint64(len(p.Sample.Missing)))
	b = append(b, p.Sample.Missing...)
	b = packArm(b, p.Sample.Stable)
	b = packArm(b, p.Sample.Canary)
	return packCustom(b, p.Sample.Custom)
}

func packArm(b []byte, a judge.Arm) []byte {
	b = binary.AppendVarint(b, a.Requests)
	b = binary.AppendVarint(b, a.Errors)
	b = binary.AppendVarint(b, int64(a.Instances))
	b = binary.AppendVarint(b, int64(a.WarmInstances))
	b = packCounts(b, a.Latency.Counts)
	b = packErrors(b, a.ErrorsBy)
	return packCold(b, a)
}

// The three forms of what is known of cold instances.
const (
	noCold = iota
	coldOnSameBounds
	coldOnOwnBounds
)

func packCold(b []byte, a judge.Arm) []byte {
	switch {
	case len(a.Cold.Counts) == 0 && len(a.Cold.Bounds) == 0 && a.ColdAge == 0:
		return append(b, noCold)
	case slices.Equal(a.Cold.Bounds, a.Latency.Bounds):
		b = append(b, coldOnSameBounds)
	default:
		b = append(b, coldOnOwnBounds)
		packed := packBounds(a.Cold.Bounds)
		b = append(binary.AppendUvarint(b, uint64(len(packed))), packed...)
	}
	return packFloat(packCounts(b, a.Cold.Counts), a.ColdAge)
}

func packCounts(b []byte, counts []int64) []byte {
	b = binary.AppendUvarint(b, uint64(len(counts)))
	for _, n := range counts {
		b = binary.AppendVarint(b, n)
	}
	return b
}

func packErrors(b []byte, by []judge.InstanceErrors) []byte {
	if by == nil {
		return binary.AppendUvarint(b, 0)
	}
	b = binary.AppendUvarint(b, uint64(len(by))+1)
	for _, e := range by {
		b = binary.AppendUvarint(b, uint64(len(e.Instance)))
		b = append(b, e.Instance...)
		b = binary.AppendVarint(b, e.Errors)
	}
	return b
}

func packFloat(b []byte, v float64) []byte {
	return binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
}

func packBounds(bounds []float64) []byte {
	b := make([]byte, 0, 8*len(bounds))
	for _, v := range bounds {
		b = packFloat(b, v)
	}
	return b
}

func unpackBounds(b []byte) []float64 {
	var bounds []float64
	for ; len(b) >= 8; b = b[8:] {
		bounds = append(bounds, math.Float64frombits(binary.LittleEndian.Uint64(b)))
	}
	return bounds
}

func unpackPoint(body []byte, stable, canary []float64) (stage.Point, error) {
	r := unpacker{rest: body}
	version := r.byte()
	if version < 1 || version > packVersion {
		return stage.Point{}, fault.Errorf(fault.Internal, "a stored point has form %d, not %d", version, packVersion)
	}
	var p stage.Point
	p.Evidence = r.float()
	p.Sample.Weight = r.float()
	at := r.int()
	p.Sample.At, p.Looked = instant(at), instant(at)
	if version > 1 {
		p.Looked = instant(at + r.int())
	}
	p.Sample.Missing = string(r.take(r.length()))
	p.Sample.Stable = r.arm(version, stable)
	p.Sample.Canary = r.arm(version, canary)
	p.Sample.Custom = r.custom()
	if r.broken || len(r.rest) > 0 {
		return stage.Point{}, fault.Errorf(fault.Internal, "a stored point is damaged")
	}
	return p, nil
}

// unpacker reads a packed form. Where that is too short it gives zeros, and is broken.
type unpacker struct {
	rest   []byte
	broken bool
}

func (r *unpacker) arm(version byte, bounds []float64) judge.Arm {
	a := judge.Arm{Requests: r.int(), Errors: r.int(), Instances: int(r.int()), WarmInstances: int(r.int())}
	a.Latency = judge.Histogram{Bounds: bounds, Counts: r.counts()}
	if version < 3 {
		return a
	}
	a.ErrorsBy = r.errors()
	switch r.byte() {
	case noCold:
		return a
	case coldOnSameBounds:
	case coldOnOwnBounds:
		bounds = unpackBounds(r.take(r.length()))
	default:
		r.broken = true
	}
	a.Cold = judge.Histogram{Bounds: bounds, Counts: r.counts()}
	a.ColdAge = r.float()
	return a
}

func (r *unpacker) counts() []int64 {
	n := r.length()
	if n == 0 {
		return nil
	}
	counts := make([]int64, n)
	for i := range counts {
		counts[i] = r.int()
	}
	return counts
}

func (r *unpacker) errors() []judge.InstanceErrors {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 || v > uint64(len(r.rest)) {
		r.broken, r.rest = true, nil
		return nil
	}
	r.rest = r.rest[n:]
	if v == 0 {
		return nil
	}
	by := make([]judge.InstanceErrors, v-1)
	for i := range by {
		by[i] = judge.InstanceErrors{Instance: string(r.take(r.length())), Errors: r.int()}
	}
	return by
}

func (r *unpacker) float() float64 {
	b := r.take(8)
	if len(b) < 8 {
		return 0
	}
	return math.Float64frombits(binary.LittleEndian.Uint64(b))
}

func (r *unpacker) int() int64 {
	v, n := binary.Varint(r.rest)
	if n <= 0 {
		r.broken, r.rest = true, nil
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

// length reads how many bytes or numbers follow, each of which takes at least one byte.
func (r *unpacker) length() int {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 || v > uint64(len(r.rest)-n) {
		r.broken, r.rest = true, nil
		return 0
	}
	r.rest = r.rest[n:]
	return int(v)
}

func (r *unpacker) byte() byte {
	if b := r.take(1); len(b) == 1 {
		return b[0]
	}
	return 0
}

func (r *unpacker) take(n int) []byte {
	if n > len(r.rest) {
		r.broken, r.rest = true, nil
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}
