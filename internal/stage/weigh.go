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
	return possibleShares(ctx, t.p, t.task, t.full())
}

// possibleShares are those of a revision with the capacity beside the target's home, in
// order; none says that any is possible.
func possibleShares(ctx context.Context, p platform.Platform, task Task, c platform.Capacity) (judge.Shares, error) {
	w, ok := p.(platform.Weigher)
	if !ok {
		return nil, nil
	}
	weights, err := w.CanaryWeights(ctx, task.Target(), c)
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

// possibleForStable is the share nearest to the wanted one that the platform can give
// stable beside the task's revision. Until stable bears everything it is rather less than
// more, and where only more is possible, as little more as may be.
func possibleForStable(ctx context.Context, p platform.Platform, task Task, s platform.State, stable string, want float64) (float64, error) {
	if want >= 1 {
		return want, nil
	}
	beside := stable
	if s.Home == stable {
		beside = task.Revision.ID
	}
	now, _ := s.Revision(beside)
	shares, err := possibleShares(ctx, p, task, platform.Capacity{Instances: now.Ready()})
	if err != nil || len(shares) == 0 {
		return want, err
	}
	if beside != stable { // they are those of the rest
		for i := range shares {
			shares[i] = 1 - shares[i]
		}
		slices.Reverse(shares)
	}
	return max(shares.AtMost(want), shares[0]), nil
}

// coarseLine tells that the platform's smallest share is more than the canary should have.
func coarseLine(task Task, first judge.Proposal) Line {
	return weightLine("canary.coarse", first.Weight,
		fmt.Sprintf("%s begins with more traffic in %s than it should: %s.", name(task), task.place(), first.Reason))
}
