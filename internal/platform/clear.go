package platform

import "context"

// Clear takes all traffic and all revisions away from the target, whoever holds it:
// its fence is above every one that the target has seen. It is for the end of
// demonstrations and benchmarks; releases never use it.
func Clear(ctx context.Context, p Platform, t Target, holder string) error {
	s, err := p.Observe(ctx, t)
	if err != nil {
		return err
	}
	lease := Lease{Fence: s.Fence + farAhead, Holder: holder}
	if len(s.Weights) > 0 {
		if err := p.Route(ctx, lease, t, nil); err != nil {
			return err
		}
	}
	for _, r := range s.Revisions {
		if err := p.Retire(ctx, lease, t, r.Revision.ID); err != nil {
			return err
		}
	}
	return nil
}

// farAhead is more fences than a server hands out while Clear runs.
const farAhead = 1_000_000
