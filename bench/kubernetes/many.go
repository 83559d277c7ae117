package main

import (
	"context"
	"fmt"

	"github.com/fairwayhq/fairway/internal/bar"
	"github.com/fairwayhq/fairway/test/kubernetes/rig"
)

// measureMany measures the worker's memory in a release beside many other Deployments,
// whose pods a simulated node only pretends to run.
func measureMany(ctx context.Context, r *rig.Rig, c config) ([]bar.Bar, error) {
	if err := r.Cluster.StartHollowNode(ctx); err != nil {
		return nil, err
	}
	if err := r.Crowd(ctx, "shop", c.many); err != nil {
		return nil, err
	}
	_, resident, err := costOfOne(ctx, r, c)
	if err != nil {
		return nil, err
	}
	name := fmt.Sprintf("resident_%d_deployments", c.many)
	return []bar.Bar{bar.AtMost(name, megabytes(resident), "MB", 200)}, nil
}
