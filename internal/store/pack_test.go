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
	if len(packed) > 128 || len(packed)*10 > len(text) {
		t.Errorf("a point takes %d bytes packed and %d as JSON", len(packed), len(text))
	}
}

func TestAPointOfTheFirstFormWasLookedAtWhenItsSampleEnded(t *testing.T) {
	p := secondOfTraffic()
	p.Looked = p.Sample.At
	b := packPoint(p)
	// Version, evidence and weight take 17 bytes; then come the instant and a 0.
	n := 17 + len(binary.AppendVarint(nil, p.Sample.At.UnixNano()))
	old := append(append([]byte{1}, b[1:n]...), b[n+1:]...)
	got, err := unpackPoint(old, p.Sample.Stable.Latency.Bounds, p.Sample.Canary.Latency.Bounds)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(p, got); diff != "" {
		t.Error(diff)
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
