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
	s, err := p.selectionOf(w)
	if err != nil {
		return nil, err
	}
	return s.weights(w.adopt(p).Home, c.Instances), nil
}

// weights are those of a revision with so many pods beside the target's home.
func (s selection) weights(home string, instances int) []int {
	shares, _ := s.shares()
	side := s.side(home)
	switch {
	case home == "" || s.world.home == nil:
		return nil
	case shares[side] == 0:
		return partsBeside(s.pods, instances)
	case s.world.atHome(home):
		return partsBeside(s.podsOf(side), instances)
	}
	var all []int
	for _, ppm := range partsBeside(s.pods, s.podsOf(side)) {
		all = append(all, platform.Whole-ppm)
	}
	return all
}
