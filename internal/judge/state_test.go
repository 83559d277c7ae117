package judge

import (
	"encoding/json"
	"testing"
	"time"
)

// laterFields are those that were not in the first states, with what they begin with.
var laterFields = map[string]any{
	"told": false, "by": []any{}, "custom": []any{},
	"lasting": map[string]any{"seen": 0, "expected": 0}, "left": map[string]any{"events": 0, "expected": 0},
}

func deleteLaterFields(fields map[string]any) {
	for name := range laterFields {
		delete(fields, name)
	}
}

func emptyLaterFields(fields map[string]any) {
	for name, begins := range laterFields {
		if _, is := fields[name]; is {
			fields[name] = begins
		}
	}
}

// rewritten is the judge written, with its fields and those of its metrics changed, and read back.
func rewritten(t *testing.T, j *Judge, change func(fields map[string]any)) *Judge {
	t.Helper()
	var state map[string]any
	if err := json.Unmarshal([]byte(asJSON(t, j)), &state); err != nil {
		t.Fatal(err)
	}
	change(state)
	for _, metric := range state["tracks"].([]any) {
		change(metric.(map[string]any))
	}
	var back Judge
	if err := json.Unmarshal([]byte(asJSON(t, state)), &back); err != nil {
		t.Fatal(err)
	}
	return &back
}

// quarter is the i-th quarter of a minute of a canary of ten instances, with so many
// errors in each of three of them.
func quarter(i int, errors int64) Sample {
	warm := Histogram{Bounds: []float64{0.1}, Counts: []int64{1400, 100}}
	return Sample{
		At: testStart.Add(time.Duration(i+1) * 15 * time.Second), Weight: 0.5,
		Stable: Arm{Requests: 1500, Errors: 3, Instances: 10, WarmInstances: 10, Latency: warm},
		Canary: Arm{
			Requests: 1500, Errors: 3 * errors, Instances: 10, WarmInstances: 10, Latency: warm,
			ErrorsBy: []InstanceErrors{{"a", errors}, {"b", errors}, {"c", errors}},
		},
	}
}

// A judge may have begun before an upgrade. What it did not write yet is as if nothing
// had been seen of it.
func TestAStateWithoutTheLaterFieldsGoesOn(t *testing.T) {
	for _, watching := range []bool{false, true} {
		s := DefaultSettings()
		if watching {
			s.Watch = time.Hour
		}
		c := Calibrate(History{}, s, 200, 1)
		c.Latency = []Threshold{{Bound: 0.1, Slope: 2, Noise: latencyPrior.noise(0.07, 100)}}
		j := New(s, c, testStart)
		for i := range 10 { // to the middle of a block
			j.Observe(quarter(i, 1))
		}
		old, empty := rewritten(t, j, deleteLaterFields), rewritten(t, j, emptyLaterFields)
		if a, b := asJSON(t, old), asJSON(t, j); a == b {
			t.Fatal("the state had none of the later fields")
		}
		if a, b := old.Evidence(), j.Evidence(); a != b {
			t.Errorf("the evidence %v was read back as %v", b, a)
		}
		for i := 10; i < 100; i++ {
			x := quarter(i, 1)
			if i >= 60 {
				x = quarter(i, 10)
			}
			old.Observe(x)
			empty.Observe(x)
			if a, b := asJSON(t, old.Verdict(x.At)), asJSON(t, empty.Verdict(x.At)); a != b {
				t.Fatalf("watching %v, sample %d: the verdict is\n%s\nand with empty fields\n%s", watching, i, a, b)
			}
		}
		if v := old.Verdict(quarter(99, 0).At); v.Kind != Fail {
			t.Errorf("watching %v, after ten minutes at ten times the errors: %s", watching, v.Paragraph())
		}
	}
}
