package main

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// windowLong is how long a release to many regions is looked at while it is judged.
const windowLong = time.Minute

// window measures what a report costs of a release to so many regions, while most of them
// are judged, and makes its other costs of those of the largest release that was measured
// whole: events, rows and lines are as many for each region, and one costs as much more as
// a report does.
func (r *rig) window(ctx context.Context, u *units, b batch) error {
	service := fmt.Sprintf("window-%d", b.regions)
	f, err := startFleet(ctx, muster{
		url: r.workersURL(), token: r.token, name: service, environment: "production",
		parallel: b.regions + 10, executors: newWorld(b.speed, uint64(b.regions)).executors(),
	})
	if err != nil {
		return err
	}
	defer f.end()
	if err := r.createAll(ctx, []string{define(service, regionNames(b.regions), time.Hour, b.interval)}); err != nil {
		return err
	}
	for end := time.Now().Add(6 * time.Minute); f.counted.sampled.Load() < int64(b.regions)/2; {
		if time.Now().After(end) {
			return fmt.Errorf("of %d regions not half were sampled within six minutes", b.regions)
		}
		if err := sleep(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
	m, err := r.within(ctx, f, windowLong)
	if err != nil {
		return err
	}
	whole := u.Releases[len(u.Releases)-1]
	each := releaseUnits{Regions: b.regions, Sample: u.ofReleases(m).per(m.sampled + m.others).least0()}
	each.Sample.Rows, each.Sample.Bytes = 1, whole.Sample.Bytes
	each.scale(whole)
	if each.Run, err = r.runSize(ctx); err != nil {
		return err
	}
	u.Releases = append(u.Releases, each)
	slices.SortFunc(u.Releases, func(a, b releaseUnits) int { return a.Regions - b.Regions })
	fmt.Printf("  %3d regions, while they are judged: %.0f s, %.0f reports with samples, %.0f others, %.0f signs of life\n",
		b.regions, m.seconds, m.sampled, m.others, m.signs)
	f.end()
	return r.forget()
}

// scale makes what is not samples from a smaller release.
func (r *releaseUnits) scale(whole releaseUnits) {
	times := float64(r.Regions) / float64(whole.Regions)
	r.Release = whole.Release.per(1 / times)
	for _, f := range []struct{ of, sample, was *float64 }{
		{&r.Release.Server, &r.Sample.Server, &whole.Sample.Server},
		{&r.Release.Database, &r.Sample.Database, &whole.Sample.Database},
		{&r.Release.Log, &r.Sample.Log, &whole.Sample.Log},
		{&r.Release.DatabaseWire, &r.Sample.DatabaseWire, &whole.Sample.DatabaseWire},
	} {
		*f.of *= *f.sample / *f.was
	}
	r.Lines, r.LineBytes = whole.Lines*times, whole.LineBytes*times
}

// within is what everything costs for a while, without what is stored.
func (r *rig) within(ctx context.Context, f *workforce, long time.Duration) (m measured, err error) {
	before, err := r.counted(ctx)
	if err != nil {
		return m, err
	}
	began, signs, sampled, others := time.Now(), f.counted.signs.Load(), f.counted.sampled.Load(), f.counted.others.Load()
	if err := sleep(ctx, long); err != nil {
		return m, err
	}
	after, err := r.counted(ctx)
	m.cost, m.seconds = after.plus(-1, before), time.Since(began).Seconds()
	m.signs = float64(f.counted.signs.Load() - signs)
	m.sampled, m.others = float64(f.counted.sampled.Load()-sampled), float64(f.counted.others.Load()-others)
	return m, err
}
