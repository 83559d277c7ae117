package judge

import (
	"strings"
	"testing"
	"time"
)

// errorsVerdict is a verdict about errors alone.
func errorsVerdict(kind Kind, reason Reason) Verdict {
	return Verdict{
		Kind: kind, Reason: reason, Evidence: 240, Threshold: 200, Strongest: 900,
		Proof: 0.5, ProofThreshold: 3, Weight: 0.18, Observed: 708 * time.Second, AtMiddle: 0,
		Metrics: []MetricVerdict{{
			Name: "errors", Canary: armVerdict(312, 51200), Stable: armVerdict(489, 233000),
			Ratio: &Interval{1.6, 5.6}, Extra: 205, Evidence: 240, Share: 1, Proof: 0.5,
			Tolerated: 0.0026, Margin: 0.0031, InstanceAllowance: 1.14,
		}},
	}
}

func TestTheSentenceTellsAProductOwner(t *testing.T) {
	held := errorsVerdict(Hold, Undecided)
	held.ForPerson = true
	slow := errorsVerdict(Hold, Undecided)
	slow.ForPerson = true
	slow.Metrics = append(slow.Metrics,
		MetricVerdict{Name: "latency > 250ms", Bound: 0.25, Canary: armVerdict(180, 1000), Stable: armVerdict(100, 1000), Share: 1, Evidence: 2, Proof: -3},
		MetricVerdict{Name: "latency > 500ms", Bound: 0.5, Canary: armVerdict(30, 1000), Stable: armVerdict(20, 1000), Share: 1, Evidence: 3, Proof: -2})
	down := errorsVerdict(Hold, NoEvidence)
	down.Detail = "the source is down"
	young := Verdict{Kind: Hold, Reason: Collecting, Detail: "the middle level has not been reached"}
	watched := Verdict{Kind: Pass, Reason: NotWorse, Watching: true, Observed: 10 * time.Minute}
	for want, v := range map[string]Verdict{
		"The new version is worse and goes back: errors 0.61 % against 0.21 %.":                                                          errorsVerdict(Fail, Worse),
		"The new version is not worse than the old one: errors 0.61 % against 0.21 %.":                                                   errorsVerdict(Pass, NotWorse),
		"Going slowly, because something may be wrong: errors 0.61 % against 0.21 %.":                                                    errorsVerdict(Hold, Suspicious),
		"There is no proof either way yet: errors 0.61 % against 0.21 %.":                                                                errorsVerdict(Hold, Undecided),
		"A person should decide: there is no proof either way, and it leans to harm (errors 0.61 % against 0.21 %).":                     held,
		"A person should decide: there is no proof either way, and it leans to harm (requests slower than 250ms 18.0 % against 10.0 %).": slow,
		"Waiting, because there is nothing to judge by: the source is down.":                                                             down,
		"All is well so far; still collecting (the middle level has not been reached).":                                                  young,
		"The new version is fine: watched for 10m0s without harm.":                                                                       watched,
	} {
		if got := v.Sentence(); got != want {
			t.Errorf("the sentence is\n%s\nwant\n%s", got, want)
		}
	}
}

func TestTheParagraphHasAllTheNumbers(t *testing.T) {
	got := errorsVerdict(Fail, Worse).Paragraph()
	for _, want := range []string{
		"Fail (worse) after 11m48s", "18.0 % of the traffic", "240 : 1", "200 : 1", "at most 1 of 200", "900 : 1",
		"0.61 % (312 of 51200, 95 % between 0.55 % and 0.68 %)", "0.21 % (489 of 233000)", "between 1.6× and 5.6×",
		"Harm begins at 0.26 % (with 14.0 % for differences between instances)", "margin is 0.31 %", "about 205 bad requests",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the paragraph lacks %q:\n%s", want, got)
		}
	}
	watched := errorsVerdict(Pass, NotWorse)
	watched.Watching = true
	if got := watched.Paragraph(); strings.Contains(got, "no worse") || strings.Contains(got, "margin") {
		t.Errorf("a watch has no proof of non-inferiority, but the paragraph says\n%s", got)
	}
}

func TestTheParagraphSaysWhichErrorsDoNotCount(t *testing.T) {
	const clause = "of the canary's errors, which single instances have beyond the others."
	for _, c := range []struct {
		what string
		m    MetricVerdict
		want string
	}{
		{"twelve and a part", MetricVerdict{Name: "errors", LeftOut: 12.7}, "; the evidence of harm leaves out 12 " + clause},
		{"one", MetricVerdict{Name: "errors", LeftOut: 1}, "; the evidence of harm leaves out 1 " + clause},
		{"less than one", MetricVerdict{Name: "errors", LeftOut: 0.9}, ""},
		{"none", MetricVerdict{Name: "errors"}, ""},
		{"latency", MetricVerdict{Name: "latency > 250ms", Bound: 0.25, LeftOut: 12}, ""},
		{"a ratio", MetricVerdict{Name: "failures", Kind: RatioMetric, LeftOut: 12}, ""},
	} {
		got := c.m.paragraph(false)
		if c.want == "" && strings.Contains(got, "leaves out") || !strings.HasSuffix(got, c.want) {
			t.Errorf("%s: want %q at the end of\n%s", c.what, c.want, got)
		}
	}
}

// What the open block leaves out is told at once, and stays told when the block is closed.
func TestTheVerdictTellsWhatIsLeftOut(t *testing.T) {
	leftOut := func(j *Judge) float64 { return j.Verdict(testStart.Add(time.Hour)).Metrics[0].LeftOut }
	if n := leftOut(burstingFor(1, true, 1)); n < 1 || n > 30 {
		t.Errorf("one instance has all 30 errors of a quarter of a minute: %v left out", n)
	}
	if early, late := leftOut(burstingFor(1, true, 1)), leftOut(burstingFor(1, true, 16)); late <= early {
		t.Errorf("after the blocks are closed %v are left out, and %v in the first one", late, early)
	}
	for what, j := range map[string]*Judge{"all instances agree": bursting(10, true), "instances are not told apart": bursting(1, false)} {
		if n := leftOut(j); n != 0 {
			t.Errorf("%s: %v left out", what, n)
		}
	}
}

func TestTheBlameIsOnTheMetricWithTheMostEvidence(t *testing.T) {
	v := errorsVerdict(Fail, Worse)
	v.Metrics = append(v.Metrics, MetricVerdict{
		Name: "latency > 250ms", Bound: 0.25, Canary: armVerdict(300, 1000), Stable: armVerdict(10, 1000), Evidence: 1e5, Share: 0.2,
	})
	want := "The new version is worse and goes back: requests slower than 250ms 30.0 % against 1.00 %."
	if got := v.Sentence(); got != want {
		t.Errorf("the sentence is %s", got)
	}
}

// The interval of the ratio must hold the truth at all looks of a run at once.
func TestTheIntervalOfTheRatioHoldsTheTruth(t *testing.T) {
	a := arenas["noise as assumed, 200/s"]
	a.minutes = 60
	missed := 0
	const runs, truth = 60, 3.0
	for i := range uint64(runs) {
		out := false
		a.worse = func(_, lambda float64) float64 { return truth * lambda }
		a.seen = func(m *track) {
			if r, ok := m.ratio(); ok && (truth < r.Low || truth > r.High) {
				out = true
			}
		}
		a.run(i)
		if out {
			missed++
		}
	}
	if missed > atMost(runs, 0.05) {
		t.Errorf("missed in %d of %d runs", missed, runs)
	}
}
