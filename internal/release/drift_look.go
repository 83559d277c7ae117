package release

import (
	"context"
	"fmt"

	"github.com/fairwayhq/fairway/internal/drift"
	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/inquiry"
)

// failuresBorne is how many lanes of a place may fail in a row before the others of that
// place are left for the next time: its worker is gone, or its cluster.
const failuresBorne = 2

// look is one round through the lanes of a place.
type look struct {
	control *Control
	// failures are how many lanes have failed in a row.
	failures int
	// away are the repositories that cannot be reached, and why.
	away map[string]string

	failed []error
	same   []drive.Drift // lanes in which nothing has changed
}

func (k *look) round(ctx context.Context, lanes []lane) {
	for _, l := range lanes {
		if k.failures > failuresBorne || ctx.Err() != nil {
			return
		}
		found, err := k.at(ctx, l)
		var unchanged *drive.Drift
		if err == nil {
			unchanged, err = k.control.noteDrift(ctx, l, found)
		}
		if err != nil {
			k.failed = append(k.failed, fmt.Errorf("%s: %w", l.name, err))
		}
		if unchanged != nil {
			k.same = append(k.same, *unchanged)
		}
	}
}

func (k *look) at(ctx context.Context, l lane) (found findings, err error) {
	answer, err := k.control.inquirer.Ask(ctx, l.inquiry)
	if err != nil {
		if fault.CodeOf(err) == fault.Unavailable {
			k.failures++
		}
		return found, err
	}
	k.failures = 0
	found.plan = answer.Differences
	if l.git {
		found.git, found.unknown = k.repository(ctx, l)
	}
	return found, nil
}

// repository asks for the drift from what the repository says. One that cannot be reached
// is not tried for the next lane, and after some of them none is: each may take its time.
func (k *look) repository(ctx context.Context, l lane) (differences []drift.Difference, unknown string) {
	q := l.inquiry
	q.About = inquiry.Truth
	if why, ok := k.away[q.Git.Repository]; ok {
		return nil, why
	}
	if len(k.away) > failuresBorne {
		return nil, fmt.Sprintf("%d other repositories could not be reached, so it was left for later", len(k.away))
	}
	answer, err := k.control.inquirer.Ask(ctx, q)
	if err == nil {
		return answer.Differences, ""
	}
	why := fault.MessageOf(err)
	if fault.CodeOf(err) == fault.Unavailable {
		k.away[q.Git.Repository] = why
	}
	return nil, why
}
