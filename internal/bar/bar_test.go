package bar_test

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairwayhq/fairway/internal/bar"
)

func TestTheLastLineIsTheBars(t *testing.T) {
	bars := []bar.Bar{
		bar.AtLeast("router_vs_caddy", 1.31, "x", 1.2),
		bar.AtMost("failed_requests", 1, "requests", 0),
	}
	var out bytes.Buffer
	if err := bar.Print(&out, bars); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	var got struct{ Bars []bar.Bar }
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &got); err != nil {
		t.Fatalf("the last line is not JSON: %v", err)
	}
	want := []bar.Bar{
		{Name: "router_vs_caddy", Value: 1.31, Unit: "x", Bar: ">= 1.2", OK: true},
		{Name: "failed_requests", Value: 1, Unit: "requests", Bar: "<= 0", OK: false},
	}
	if diff := cmp.Diff(want, got.Bars); diff != "" {
		t.Errorf("bars (-want +got):\n%s", diff)
	}
}

func TestWhatIsNotANumberIsNotPrinted(t *testing.T) {
	var out bytes.Buffer
	if err := bar.Print(&out, []bar.Bar{bar.AtMost("p99", math.NaN(), "ms", 1)}); err == nil {
		t.Error("Print took NaN as a measurement")
	}
}
