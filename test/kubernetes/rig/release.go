package rig

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"time"

	"github.com/fairwayhq/fairway/internal/api/client"
)

// Release is one that was shipped.
type Release struct {
	ID      string
	Shipped time.Time

	team *Team
}

// Ship does what a person does: `fairway ship` with the team's definition.
func (t *Team) Ship(ctx context.Context, v Version) (*Release, error) {
	r := &Release{Shipped: time.Now(), team: t}
	cmd := t.rig.Command(ctx, "ship", "--file", t.Definition(), "--artifact", t.rig.Cluster.Reference(v.Image()), "--version", v.Name, "--output", "json")
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("%w: %s", err, exit.Stderr)
		}
		return nil, fmt.Errorf("ship %s of %s: %w", v.Name, t.Name, err)
	}
	var made client.Release
	if err := json.Unmarshal(out, &made); err != nil {
		return nil, fmt.Errorf("read what ship says: %w: %s", err, out)
	}
	r.ID = made.ID
	return r, nil
}

// Now is where the release is.
func (r *Release) Now(ctx context.Context) (client.ReleaseDetail, error) {
	return r.team.rig.API.Release(ctx, r.ID)
}

// End waits for the release's end and returns it as it then is. If the context ends
// before, so does the waiting, and the release may be under way.
func (r *Release) End(ctx context.Context) (client.ReleaseDetail, error) {
	return r.Until(ctx, func(d client.ReleaseDetail) bool { return d.State.Final() })
}

// Until waits until the release is so.
func (r *Release) Until(ctx context.Context, so func(client.ReleaseDetail) bool) (last client.ReleaseDetail, err error) {
	err = r.team.rig.API.Live(ctx, r.ID, "", client.Listener{Release: func(d client.ReleaseDetail) error {
		last = d
		if so(d) {
			return client.ErrStop
		}
		return nil
	}})
	if err != nil {
		err = fmt.Errorf("%s, %s: %w", r.ID, last.Headline, err)
	}
	return last, err
}

// UntilShare waits until the canary's share of the traffic is so, or the release has
// ended without.
func (r *Release) UntilShare(ctx context.Context, limit time.Duration, so func(share float64) bool) error {
	return until(ctx, limit, "the canary's share is as awaited", func() error {
		w := r.team.Route.Now()
		if !so(w.Canary()) {
			return fmt.Errorf("the weights are %v", w.Of)
		}
		return nil
	})
}

// RollBack does what a person does, and waits until the release has been taken back.
func (r *Release) RollBack(ctx context.Context, reason string) (client.ReleaseDetail, error) {
	out, err := r.team.rig.Command(ctx, "rollback", r.ID, "--reason", reason).CombinedOutput()
	if err != nil {
		return client.ReleaseDetail{}, fmt.Errorf("roll %s back: %w: %s", r.ID, err, out)
	}
	return r.Until(ctx, func(d client.ReleaseDetail) bool {
		return d.State.Final() && d.State != "succeeded"
	})
}

// Events are the lines of the release's history.
func (r *Release) Events(ctx context.Context) ([]client.Event, error) {
	const most = 500 // more than one release has
	page, err := r.team.rig.API.Events(ctx, r.ID, 0, most)
	return page.Items, err
}
