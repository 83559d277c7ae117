package metric

import (
	"testing"

	"github.com/fairwayhq/fairway/internal/judge"
)

func TestTrafficIsMissing(t *testing.T) {
	sample := func(stable, canary int64) judge.Sample {
		return judge.Sample{Stable: judge.Arm{Requests: stable}, Canary: judge.Arm{Requests: canary}}
	}
	for _, tc := range []struct {
		name    string
		weight  float64
		samples []judge.Sample
		want    bool
	}{
		{"its share", 0.1, []judge.Sample{sample(9000, 1000)}, false},
		{"three quarters of its share", 0.1, []judge.Sample{sample(9000, 750)}, false},
		{"a tenth of its share", 0.1, []judge.Sample{sample(9000, 100)}, true},
		{"nothing, where little was due", 0.01, []judge.Sample{sample(900, 0)}, false},
		{"nothing, where much was due", 0.01, []judge.Sample{sample(9000, 0)}, true},
		{"no weight", 0, []judge.Sample{sample(9000, 0)}, false},
		{"all the weight", 1, []judge.Sample{sample(9000, 0)}, false},
		{"a burst that came a look earlier", 0.5, []judge.Sample{sample(0, 500), sample(500, 0)}, false},
		{"traffic that stops", 0.5, []judge.Sample{sample(500, 500), sample(500, 0), sample(500, 0), sample(500, 0)}, true},
		{"nobody has any", 0.5, []judge.Sample{sample(0, 0), sample(0, 0)}, false},
	} {
		var lately traffic
		for _, s := range tc.samples {
			lately = lately.and(s, tc.weight, 1)
		}
		if got := lately.missing(); got != tc.want {
			t.Errorf("%s: missing is %v, want %v (%+v)", tc.name, got, tc.want, lately)
		}
	}
}
