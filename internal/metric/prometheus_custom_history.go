package metric

import (
	"context"
	"time"

	"github.com/fairwayhq/fairway/internal/judge"
)

// customHistory reads the past of the custom ratios as if they were errors in requests.
// A ratio whose past cannot be read has none, and so have means: the judge then begins
// with its priors.
func (p *Prometheus) customHistory(ctx context.Context, ask Ask, span time.Duration) []judge.CustomHistory {
	var all []judge.CustomHistory
	for _, m := range ask.Custom {
		of, wrong := readQuery(m.Of)
		counted, alsoWrong := readQuery(m.Bad + m.Good) // one of them is empty
		if m.Of == "" || len(wrong)+len(alsoWrong) > 0 {
			continue
		}
		ratio := *p
		ratio.queries = map[string]selector{"requests": of, "errors": counted}
		alone := ask
		alone.Custom = nil
		past, err := ratio.History(ctx, alone, span)
		if err != nil {
			continue
		}
		if m.Good != "" {
			countBad(past.Instances)
		}
		all = append(all, judge.CustomHistory{Name: m.Name, Instances: past.Instances})
	}
	return all
}

// countBad turns good events into bad ones.
func countBad(instances []judge.InstanceHistory) {
	for _, in := range instances {
		for i, n := range in.Requests {
			in.Errors[i] = n - in.Errors[i]
		}
	}
}
