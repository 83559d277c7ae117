package release

import (
	"context"
	"strings"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

// Limits of a page.
const (
	DefaultLimit = 50
	MaxLimit     = 500
)

// states are the words that a list may be narrowed by.
var states = []pipeline.RunState{
	pipeline.RunPending, pipeline.RunRunning, pipeline.RunRollingBack, pipeline.RunSucceeded,
	pipeline.RunRolledBack, pipeline.RunFailed, pipeline.RunSuperseded, pipeline.RunCancelled,
}

// List returns a page of releases, newest first, and the cursor of the next page ("" at the end).
func (c *Control) List(ctx context.Context, f Filter) ([]Summary, string, error) {
	if f.State != "" && !contains(states, f.State) {
		words := make([]string, len(states))
		for i, s := range states {
			words[i] = string(s)
		}
		return nil, "", fault.Errorf(fault.Invalid, "%q is not a state of a release", f.State).WithHint("the states are %s", strings.Join(words, ", "))
	}
	if f.Before != "" && !isID(f.Before) {
		return nil, "", fault.Errorf(fault.Invalid, "%q is not a cursor of this list", f.Before).WithHint("use 'next' of the page before, as it is")
	}
	limit := pageLimit(f.Limit)
	f.Limit = limit + 1
	var list []Summary
	err := c.view(ctx, func(tx Tx) error {
		var err error
		list, err = tx.ListReleases(f)
		return err
	})
	if err != nil || len(list) <= limit {
		return list, "", err
	}
	return list[:limit], list[limit-1].ID, nil
}

func pageLimit(asked int) int {
	if asked <= 0 {
		return DefaultLimit
	}
	return min(asked, MaxLimit)
}

func contains[T comparable](list []T, want T) bool {
	for _, v := range list {
		if v == want {
			return true
		}
	}
	return false
}
