package store

import (
	"encoding/json"
	"testing"
	"time"

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
	return stage.Point{Evidence: 3.25, Sample: judge.Sample{At: time.Unix(1_800_000_000, 0), Weight: 0.05, Stable: arm, Canary: arm}}
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
