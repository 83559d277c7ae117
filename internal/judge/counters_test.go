package judge_test

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/judge"
)

// numbers reads any numbers from bytes, and zeros when there are none left. Half of
// them are small.
type numbers struct{ left []byte }

func (n *numbers) byte() byte {
	if len(n.left) == 0 {
		return 0
	}
	b := n.left[0]
	n.left = n.left[1:]
	return b
}

func (n *numbers) int() int64 {
	kind, x := n.byte(), uint64(0)
	for range int(kind % 9) {
		x = x<<8 | uint64(n.byte())
	}
	if kind >= 0xf0 {
		return -int64(x)
	}
	return int64(x)
}

func (n *numbers) float() float64 {
	switch n.byte() {
	case 0xff:
		return math.NaN()
	case 0xfe:
		return math.Inf(1)
	case 0xfd:
		return float64(n.int())
	}
	return float64(n.byte()) / 255
}

func (n *numbers) arm() judge.Arm {
	a := judge.Arm{Requests: n.int(), Instances: int(n.int() % 100), WarmInstances: int(n.byte()) % 100}
	if a.Errors = n.int(); n.byte()%2 == 0 && a.Requests > 0 {
		a.Errors %= a.Requests + 1
	}
	for range int(n.byte() % 4) {
		by := judge.InstanceErrors{Instance: string(rune('a' + n.byte()%6)), Errors: n.int()}
		if n.byte()%2 == 0 && a.Errors > 0 {
			by.Errors %= a.Errors + 1
		}
		a.ErrorsBy = append(a.ErrorsBy, by)
	}
	a.ColdAge = 60 * n.float()
	for i := range int(n.byte() % 5) {
		a.Latency.Counts = append(a.Latency.Counts, n.int())
		if i > 0 {
			a.Latency.Bounds = append(a.Latency.Bounds, float64(i)*(0.05+n.float()/1000))
		}
	}
	if n.byte()%2 == 0 {
		a.Cold = judge.Histogram{Bounds: a.Latency.Bounds, Counts: append([]int64(nil), a.Latency.Counts...)}
	}
	return a
}

func (n *numbers) calibration() judge.Calibration {
	noise := func() judge.Noise {
		return judge.Noise{Rate: 1e-6 + 0.4*float64(n.byte())/255, Events: 1 + float64(n.byte()), Tau2: float64(n.byte()) / 16, Sigma2: float64(n.byte()) / 2550}
	}
	c := judge.Calibration{Errors: noise(), RequestRate: float64(n.byte())}
	for i := range int(n.byte() % 3) {
		c.Latency = append(c.Latency, judge.Threshold{Bound: float64(i+1) * 0.05, Slope: float64(n.byte() % 8), Noise: noise()})
	}
	if n.byte()%2 == 0 {
		c.ColdStart.Bounds = []float64{0.05}
		for range int(n.byte() % 6) {
			c.ColdStart.Ages = append(c.ColdStart.Ages, judge.ColdAge{
				Canary: []int64{int64(n.byte()), int64(n.byte())}, Stable: []int64{int64(n.byte()), int64(n.byte())},
			})
		}
	}
	return c
}

// Whatever the counters say, no number of a verdict is impossible, a judge can be
// written and read back, and the next weight is one.
func FuzzAnyCounters(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("a canary of a busy service, with latencies, and with gaps between the samples"))
	f.Add([]byte{1, 2, 3, 4, 5, 6, 7, 8, 0xf8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x80, 8, 0x7f, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, data []byte) {
		n := &numbers{data}
		s := judge.DefaultSettings()
		if n.byte()%2 == 1 {
			s.Watch = time.Duration(n.byte()) * time.Minute
		}
		c := n.calibration()
		j, z := judge.New(s, c, recordStart), judge.NewSizing(s, c, recordStart)
		at := recordStart
		for len(n.left) > 0 && at.Sub(recordStart) < 1<<60 {
			at = at.Add(time.Duration(n.int() % int64(24*time.Hour)))
			sample := judge.Sample{At: at, Weight: n.float(), Stable: n.arm(), Canary: n.arm()}
			j.Observe(sample)
			z.Observe(sample)
			v := j.Verdict(at)
			if e := j.Evidence(); !(e >= 0) || math.IsInf(e, 0) || math.IsNaN(v.Proof) {
				t.Fatalf("evidence %v, proof %v", e, v.Proof)
			}
			if p := z.Next(at, v); !(p.Weight >= 0 && p.Weight <= s.Middle) {
				t.Fatalf("the next weight is %v", p.Weight)
			}
			if v.Sentence() == "" || v.Paragraph() == "" {
				t.Fatal("a verdict without words")
			}
			for _, what := range []any{v, j, z} {
				if _, err := json.Marshal(what); err != nil {
					t.Fatal(err)
				}
			}
		}
		b, err := json.Marshal(j)
		if err != nil {
			t.Fatal(err)
		}
		var back judge.Judge
		if err := json.Unmarshal(b, &back); err != nil {
			t.Fatal(err)
		}
		if back.Evidence() != j.Evidence() {
			t.Fatalf("evidence %v was read back as %v", j.Evidence(), back.Evidence())
		}
	})
}
