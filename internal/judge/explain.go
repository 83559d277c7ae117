package judge

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// Sentence says the verdict to a product owner, with the one number that matters.
func (v Verdict) Sentence() string {
	m, ok := v.leading()
	switch {
	case v.Kind == Pass && v.Watching:
		return fmt.Sprintf("The new version is fine: watched for %s without harm.", short(v.Observed))
	case v.Kind == Pass:
		return "The new version is not worse than the old one: " + v.compared() + "."
	case v.Kind == Fail && ok:
		return "The new version is worse and goes back: " + m.compared() + "."
	case v.Kind == Fail:
		return "The new version is worse and goes back."
	case v.Reason == NoEvidence:
		return "Waiting, because there is nothing to judge by: " + v.Detail + "."
	case v.Reason == Suspicious && ok:
		return "Going slowly, because something may be wrong: " + m.compared() + "."
	case v.Reason == Undecided && v.ForPerson && ok:
		return "A person should decide: there is no proof either way, and it leans to harm (" + v.doubted().compared() + ")."
	case v.Reason == Undecided && ok:
		return "There is no proof either way yet: " + m.compared() + "."
	case v.Detail != "":
		return "All is well so far; still collecting (" + v.Detail + ")."
	}
	return "All is well so far; still collecting."
}

// Paragraph says the verdict to an engineer, with all the numbers.
func (v Verdict) Paragraph() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%s) after %s of evidence, %s of it at the middle level or above, at %s of the traffic.",
		title(string(v.Kind)), v.Reason, short(v.Observed), short(v.AtMiddle), percent(v.Weight))
	if v.Detail != "" {
		fmt.Fprintf(&b, " %s.", title(v.Detail))
	}
	fmt.Fprintf(&b, " Evidence of harm %s : 1, a rollback needs %s : 1, which a healthy version reaches in at most 1 of %s releases, however often one looks; the strongest single effect stands at %s : 1.",
		number(v.Evidence), number(v.Threshold), number(v.Threshold), number(v.Strongest))
	if !v.Watching {
		fmt.Fprintf(&b, " Evidence of being no worse %s : 1 for the weakest metric, a pass needs %s : 1.",
			number(math.Exp(v.Proof)), number(math.Exp(v.ProofThreshold)))
	}
	for _, m := range v.Metrics {
		if m.Canary.Requests+m.Stable.Requests > 0 {
			b.WriteString(" " + m.paragraph(v.Watching))
		}
	}
	return b.String()
}

func (m MetricVerdict) paragraph(watching bool) string {
	if m.Kind == MeanMetric {
		return m.meanParagraph(watching)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s: canary %s (%d of %d, 95 %% between %s and %s), stable %s (%d of %d).", title(spoken(m.Name)),
		percent(m.Canary.Rate), m.Canary.Bad, m.Canary.Requests, percent(m.Canary.Interval.Low), percent(m.Canary.Interval.High),
		percent(m.Stable.Rate), m.Stable.Bad, m.Stable.Requests)
	if m.Ratio != nil {
		fmt.Fprintf(&b, " The ratio is between %s× and %s×.", number(m.Ratio.Low), number(m.Ratio.High))
	}
	fmt.Fprintf(&b, " Harm begins at %s (with %s for differences between instances)", percent(m.Tolerated), percent(m.InstanceAllowance-1))
	if !watching {
		fmt.Fprintf(&b, ", the promotion margin is %s", percent(m.Margin))
	}
	b.WriteString(m.weights(watching))
	if m.Extra >= 1 {
		fmt.Fprintf(&b, "; about %s bad %s more than at stable's usual rate", number(m.Extra), m.events())
	}
	if m.LeftOut >= 1 && m.Bound == 0 && m.Kind == "" {
		fmt.Fprintf(&b, "; the evidence of harm leaves out %s of the canary's errors, which single instances have beyond the others",
			number(math.Floor(m.LeftOut)))
	}
	return b.String() + "."
}

// weights are the weights of evidence, as the end of a sentence.
func (m MetricVerdict) weights(watching bool) string {
	s := fmt.Sprintf("; evidence of harm %s : 1", number(m.Evidence))
	if !watching {
		s += fmt.Sprintf(", of being no worse %s : 1", number(math.Exp(m.Proof)))
	}
	return s
}

// leading is the metric that contributes most to the evidence of harm.
func (v Verdict) leading() (MetricVerdict, bool) {
	best, top := -1, math.Inf(-1)
	for i, m := range v.Metrics {
		if e := m.Share * m.Evidence; e > top {
			best, top = i, e
		}
	}
	if best < 0 {
		return MetricVerdict{}, false
	}
	return v.Metrics[best], true
}

// doubted is the metric for which a person is asked: the one whose proof went wrong, which may
// have next to no evidence of harm, else the leading one.
func (v Verdict) doubted() MetricVerdict {
	m, _ := v.leading()
	for _, other := range v.Metrics {
		if other.Proof < min(m.Proof, leaningProof) {
			m = other
		}
	}
	return m
}

// compared puts the errors, the tightest latency and the custom metrics of both arms
// side by side.
func (v Verdict) compared() string {
	var parts []string
	for _, m := range v.Metrics {
		if len(parts) < 2 || m.Kind != "" {
			parts = append(parts, m.compared())
		}
	}
	if len(parts) == 0 {
		return "proven on every metric"
	}
	return strings.Join(parts, ", ")
}

func (m MetricVerdict) compared() string {
	what := "errors " + percent(m.Canary.Rate)
	switch {
	case m.Kind == MeanMetric:
		return m.comparedMeans()
	case m.Kind == RatioMetric:
		what = spoken(m.Name) + " " + percent(m.Canary.Rate)
	case m.Bound > 0:
		what = fmt.Sprintf("requests slower than %s %s", seconds(m.Bound), percent(m.Canary.Rate))
	}
	return what + " against " + percent(m.Stable.Rate)
}

func percent(x float64) string {
	switch p := 100 * x; {
	case p == 0:
		return "0 %"
	case math.Abs(p) < 0.1:
		return fmt.Sprintf("%.2g %%", p)
	case math.Abs(p) < 10:
		return fmt.Sprintf("%.2f %%", p)
	default:
		return fmt.Sprintf("%.1f %%", p)
	}
}

func number(x float64) string {
	switch {
	case x >= 1e6:
		return "over a million"
	case x >= 100:
		return fmt.Sprintf("%.0f", x)
	case x >= 10:
		return fmt.Sprintf("%.3g", x)
	case x < 0.001:
		return "under 0.001"
	default:
		return fmt.Sprintf("%.2g", x)
	}
}

func short(d time.Duration) string { return d.Round(time.Second).String() }

func seconds(s float64) string {
	d := time.Duration(math.Round(s * float64(time.Second)))
	if d >= time.Second {
		return d.Round(10 * time.Millisecond).String()
	}
	return d.Round(10 * time.Microsecond).String()
}

func title(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
