package stage

import (
	"context"
	"fmt"
	"slices"

	"github.com/fairwayhq/fairway/internal/judge"
	"github.com/fairwayhq/fairway/internal/platform"
)

// possible are the shares of traffic that the platform can give the canary; none says
// that any is possible.
func (t *canaryTick) possible(ctx context.Context) (judge.Shares, error) {
	w, ok := t.p.(platform.Weigher)
	if !ok {
		return nil, nil
	}
	weights, err := w.CanaryWeights(ctx, t.task.Target(), t.full())
	if err != nil {
		return nil, err
	}
	slices.Sort(weights)
	var shares judge.Shares
	for _, ppm := range slices.Compact(weights) {
		if ppm > 0 && ppm < platform.Whole {
			shares = append(shares, float64(ppm)/platform.Whole)
		}
	}
	return shares, nil
}

// coarseLine tells that the platform's smallest share is more than the canary should have.
func coarseLine(task Task, first judge.Proposal) Line {
	return weightLine("canary.coarse", first.Weight,
		fmt.Sprintf("%s begins with more traffic in %s than it should: %s.", name(task), task.Environment, first.Reason))
}
