package main

import (
	"context"
	"fmt"
	"time"

	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/fault"
)

// flight is one release under way.
type flight struct {
	service *service
	outcome outcome
	version string
	detail  client.ReleaseDetail
	events  []client.Event
	err     error
}

// endsWithin is the most that a release may take, kills and a busy machine included.
const endsWithin = 3 * time.Minute

// release makes one release and follows it to its end.
func (c *campaign) release(ctx context.Context, f *flight) error {
	create := func() (client.ReleaseDetail, error) {
		if f.outcome == drilled {
			return c.api.Drill(ctx, f.service.name, client.NewDrill{
				Environment: f.service.last().name, Errors: 0.5, For: endsWithin.String(), Reason: "a rehearsal",
			}, f.service.name+"-"+f.version)
		}
		return c.api.Create(ctx, client.NewRelease{
			Definition: f.service.definition(f.version, f.outcome), Version: f.version,
			Artifact: c.artifact.path, Digest: c.artifact.digest,
		}, f.service.name+"-"+f.version)
	}
	made, err := persist(ctx, create)
	if err != nil {
		return fmt.Errorf("create %s %s: %w", f.service.name, f.version, err)
	}
	if err := c.follow(ctx, f, made.ID); err != nil || f.outcome != recalled {
		return err
	}
	if f.detail.State != ends[good] {
		return fmt.Errorf("%s %s should succeed before it is recalled, but it is %s: %s", f.service.name, f.version, f.detail.State, f.detail.Headline)
	}
	// A second wish for the same rollback is refused, so one that was cut off may be repeated.
	for f.detail.State == ends[good] {
		_, err = persist(ctx, func() (client.ReleaseDetail, error) {
			return c.api.Rollback(ctx, made.ID, client.Rollback{Environment: f.service.last().name, Reason: "second thoughts"})
		})
		if err != nil && fault.CodeOf(err) != fault.Conflict {
			return fmt.Errorf("recall %s %s: %w", f.service.name, f.version, err)
		}
		if err := c.follow(ctx, f, made.ID); err != nil {
			return err
		}
	}
	return nil
}

// follow waits until the release has come to its end.
func (c *campaign) follow(ctx context.Context, f *flight, id string) error {
	for {
		detail, err := persist(ctx, func() (client.ReleaseDetail, error) { return c.api.Release(ctx, id) })
		if err != nil {
			return fmt.Errorf("%s %s (%s) did not end; it is %s: %s: %w", f.service.name, f.version, id, f.detail.State, f.detail.Headline, err)
		}
		f.detail = detail
		if detail.State.Final() {
			return nil
		}
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// persist repeats a call until the server hears it.
func persist[T any](ctx context.Context, call func() (T, error)) (T, error) {
	for {
		v, err := call()
		if err == nil || ctx.Err() != nil || fault.CodeOf(err) != fault.Unavailable {
			return v, err
		}
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
}
