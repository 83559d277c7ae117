package store

import (
	"encoding/binary"
	"math"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/judge"
	"github.com/fairwayhq/fairway/internal/stage"
)

// A point is stored packed, since a canary leaves one per second with two
// histograms: its JSON would be ten times as long. The form begins with its
// version, 2; numbers are varints, floats 8 bytes little endian, texts and lists
// begin with their length; the bounds of the histograms stand apart as scales:
//
//	version, evidence, weight, at, looked - at, missing, stable, canary
//	arm: requests, errors, instances, warm instances, list of counts
//
// Form 1 lacks when it was looked at. Where there are custom metrics, they follow: see
// packCustom.
const packVersion = 2

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
	b = binary.AppendUvarint(b, uint64(len(a.Latency.Counts)))
	for _, n := range a.Latency.Counts {
		b = binary.AppendVarint(b, n)
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
	if version != 1 && version != packVersion {
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
	p.Sample.Stable = r.arm(stable)
	p.Sample.Canary = r.arm(canary)
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

func (r *unpacker) arm(bounds []float64) judge.Arm {
	a := judge.Arm{Requests: r.int(), Errors: r.int(), Instances: int(r.int()), WarmInstances: int(r.int())}
	a.Latency.Bounds = bounds
	if n := r.length(); n > 0 {
		a.Latency.Counts = make([]int64, n)
		for i := range a.Latency.Counts {
			a.Latency.Counts[i] = r.int()
		}
	}
	return a
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
