package store

import (
	"encoding/binary"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/judge"
	"github.com/fairwayhq/fairway/internal/stage"
)

// secondOfTraffic is a point as a canary leaves one per second.
func secondOfTraffic() stage.Point {
	arm := judge.Arm{Requests: 190, Errors: 1, Instances: 3, WarmInstances: 3}
	bound := 0.0005
	for i := range 40 {
		arm.Latency.Bounds = append(arm.Latency.Bounds, bound)
		arm.Latency.Counts = append(arm.Latency.Counts, int64(i%7))
		bound *= 1.3
	}
	arm.Latency.Counts = append(arm.Latency.Counts, 0)
	at := time.Unix(1_800_000_000, 0).UTC()
	return stage.Point{Evidence: 3.25, Looked: at.Add(17 * time.Second), Sample: judge.Sample{At: at, Weight: 0.05, Stable: arm, Canary: arm}}
}

func TestAPackedPointIsSmall(t *testing.T) {
	p := secondOfTraffic()
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	packed := packPoint(p)
	if len(packed) > 136 || len(packed)*10 > len(text) {
		t.Errorf("a point takes %d bytes packed and %d as JSON", len(packed), len(text))
	}
}

// older is the point in a form of before: without single instances, and in the first
// form without when it was looked at.
func older(p stage.Point, version byte) []byte {
	b := packFloat(packFloat([]byte{version}, p.Evidence), p.Sample.Weight)
	b = binary.AppendVarint(b, p.Sample.At.UnixNano())
	if version > 1 {
		b = binary.AppendVarint(b, int64(p.Looked.Sub(p.Sample.At)))
	}
	b = append(b, 0) // nothing is missing
	for _, a := range []judge.Arm{p.Sample.Stable, p.Sample.Canary} {
		for _, n := range []int64{a.Requests, a.Errors, int64(a.Instances), int64(a.WarmInstances)} {
			b = binary.AppendVarint(b, n)
		}
		b = packCounts(b, a.Latency.Counts)
	}
	return b
}

func TestPointsOfOlderFormsAreRead(t *testing.T) {
	for version := byte(1); version < packVersion; version++ {
		p := secondOfTraffic()
		if version == 1 {
			p.Looked = p.Sample.At
		}
		got, err := unpackPoint(older(p, version), p.Sample.Stable.Latency.Bounds, p.Sample.Canary.Latency.Bounds)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(p, got); diff != "" {
			t.Errorf("form %d: %s", version, diff)
		}
	}
}

func TestSingleInstancesArePackedWithTheirArm(t *testing.T) {
	p := secondOfTraffic()
	a := &p.Sample.Canary
	a.ErrorsBy = []judge.InstanceErrors{{Instance: "checkout-7f3c", Errors: 1}, {Instance: "", Errors: 0}}
	a.Cold, a.ColdAge = judge.Histogram{Bounds: a.Latency.Bounds, Counts: a.Latency.Counts}, 14.5
	p.Sample.Stable.ErrorsBy = []judge.InstanceErrors{}
	packed := packPoint(p)
	got, err := unpackPoint(packed, p.Sample.Stable.Latency.Bounds, a.Latency.Bounds)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(p, got); diff != "" {
		t.Error(diff)
	}
	for n := range packed {
		if _, err := unpackPoint(packed[:n], nil, nil); fault.CodeOf(err) != fault.Internal {
			t.Fatalf("the first %d of %d bytes gave %v, want an internal fault", n, len(packed), err)
		}
	}
}

func TestADamagedPointIsAFaultAndNoPanic(t *testing.T) {
	whole := packPoint(secondOfTraffic())
	for n := range whole {
		if _, err := unpackPoint(whole[:n], nil, nil); fault.CodeOf(err) != fault.Internal {
			t.Fatalf("the first %d of %d bytes gave %v, want an internal fault", n, len(whole), err)
		}
	}
	if _, err := unpackPoint(append(whole, 0), nil, nil); fault.CodeOf(err) != fault.Internal {
		t.Errorf("a byte too many gave %v, want an internal fault", err)
	}
	rapid.Check(t, func(t *rapid.T) {
		b := append([]byte{packVersion}, rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")...)
		p, err := unpackPoint(b, nil, nil)
		if err == nil && len(p.Sample.Stable.Latency.Counts) > len(b) {
			t.Fatal("more counts came out than bytes went in")
		}
	})
}
