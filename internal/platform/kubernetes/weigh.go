package kubernetes

import (
	"context"

	"github.com/fairwayhq/fairway/internal/platform"
)

// CanaryWeights are what so many pods beside those of the home come to; a gateway can give
// any weight. Where the target's home is itself on a side, they are those of the revision
// in the Deployment, or beside it.
func (p *Platform) CanaryWeights(ctx context.Context, _ platform.Target, c platform.Capacity) ([]int, error) {
	if !p.byPods() {
		return nil, nil
	}
	w, err := p.look(ctx, false)
	if err != nil {
		return nil, err
	}
	m := w.adopt(p)
	home, beside := w.side(m.Home)
	if shares, _ := w.split.shares(); shares[p.sideName(m.Home)] == 0 {
		beside = false // it is on its way out, or not asked yet
	}
	switch {
	case m.Home == "" || w.home == nil:
		return nil, nil
	case !beside:
		return partsBeside(int(replicas(w.home)), c.Instances), nil
	case w.atHome(m.Home):
		return partsBeside(int(replicas(home.deployment)), c.Instances), nil
	}
	var all []int
	for _, ppm := range partsBeside(int(replicas(w.home)), int(replicas(home.deployment))) {
		all = append(all, platform.Whole-ppm)
	}
	return all, nil
}
