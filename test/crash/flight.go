package main

import (
	"context"
	"fmt"
	"time"

	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

// flight is one release under way.
type flight struct {
	service *service // the one that leads, where the release has two
	outcome outcome
	round   int
	made    chan struct{} // closed when it was created, or could not be
	behind  *flight       // what is created before it, and has its lane; nil mostly
	detail  client.ReleaseDetail
	events  []client.Event
	err     error
}

func newFlight(s *service, o outcome, round int) *flight {
	return &flight{service: s, outcome: o, round: round, made: make(chan struct{})}
}

// String names the release as its title does: "shop bad-3 with bank good-3".
func (f *flight) String() string {
	name := f.service.name + " " + f.version(f.service)
	if led := f.service.with; led != nil {
		name += " with " + led.name + " " + f.version(led)
	}
	return name
}

// services are those of the release, in the order in which they go.
func (f *flight) services() []*service {
	if f.service.with == nil {
		return []*service{f.service}
	}
	return []*service{f.service.with, f.service}
}

// version is what the release has of the service: only one of two can be bad.
func (f *flight) version(s *service) string { return fmt.Sprintf("%s-%d", f.outcomeOf(s), f.round) }

// outcomeOf is what the service's part of the release is made for.
func (f *flight) outcomeOf(s *service) outcome {
	switch {
	case f.outcome == badFirst && s != f.service:
		return bad
	case f.outcome == queues:
		return queues // a version of its own: the one before it is good
	case f.outcome == badFirst, s != f.service:
		return good
	}
	return f.outcome
}

// end is the state in which the release must end.
func (f *flight) end() pipeline.RunState {
	if f.outcome == dead && f.service.with != nil {
		return pipeline.RunRolledBack // the other service had been at home
	}
	return ends[f.outcome]
}

// endsWithin is the most that a release may take, kills and a busy machine included.
const endsWithin = 5 * time.Minute

// release makes one release and follows it to its end.
func (c *campaign) release(ctx context.Context, f *flight) error {
	create := func() (client.ReleaseDetail, error) {
		if f.outcome == drilled {
			return c.api.Drill(ctx, f.service.name, client.NewDrill{
				Environment: f.service.last().name, Errors: 0.5, For: endsWithin.String(), Reason: "a rehearsal",
			}, f.key())
		}
		return c.api.Create(ctx, c.ask(f), f.key())
	}
	if f.behind != nil {
		<-f.behind.made
	}
	made, err := persist(ctx, create)
	close(f.made)
	if err != nil {
		return fmt.Errorf("create %s: %w", f, err)
	}
	defer c.sampler.demand(needs(f.service, made.Plan))()
	if err := c.follow(ctx, f, made.ID); err != nil || f.outcome != recalled {
		return err
	}
	if f.detail.State != ends[good] {
		return fmt.Errorf("%s should succeed before it is recalled, but it is %s: %s", f, f.detail.State, f.detail.Headline)
	}
	// A second wish for the same rollback is refused, so one that was cut off may be repeated.
	for f.detail.State == ends[good] {
		_, err = persist(ctx, func() (client.ReleaseDetail, error) {
			return c.api.Rollback(ctx, made.ID, client.Rollback{Environment: f.service.last().name, Reason: "second thoughts"})
		})
		if err != nil && fault.CodeOf(err) != fault.Conflict {
			return fmt.Errorf("recall %s: %w", f, err)
		}
		if err := c.follow(ctx, f, made.ID); err != nil {
			return err
		}
	}
	return nil
}

// key makes a repeated wish for the release the same one.
func (f *flight) key() string { return f.service.name + "-" + f.version(f.service) }

// ask is the wish for the release.
func (c *campaign) ask(f *flight) client.NewRelease {
	text := func(s *service) string { return s.definition(f.version(s), f.outcomeOf(s)) }
	ask := client.NewRelease{
		Definition: text(f.service), Version: f.version(f.service), Artifact: c.artifact.path, Digest: c.artifact.digest,
	}
	if led := f.service.with; led != nil {
		ask.With = []client.NewComponent{{
			Service: led.name, Definition: text(led), Version: f.version(led), Artifact: c.artifact.path, Digest: c.artifact.digest,
		}}
	}
	return ask
}

// follow waits until the release has come to its end.
func (c *campaign) follow(ctx context.Context, f *flight, id string) error {
	for {
		detail, err := persist(ctx, func() (client.ReleaseDetail, error) { return c.api.Release(ctx, id) })
		if err != nil {
			return fmt.Errorf("%s (%s) did not end; it is %s: %s: %w", f, id, f.detail.State, f.detail.Headline, err)
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
