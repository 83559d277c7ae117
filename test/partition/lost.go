package main

import (
	"context"
	"time"

	"github.com/fairwayhq/fairway/internal/api/client"
)

// Besides the ways to cut off: how the worker that steers is lost, where there is a second one.
const (
	killed cutting = "killed" // by SIGKILL, and not started again
	frozen cutting = "frozen" // by SIGSTOP: it lives, keeps its connections, and does nothing
)

// lookWithin is what another worker needs for its first look after a lease has run out. Its
// wish waits at the server, which looks once a second for what is free; the second second is
// for its first tick, beside everything else that the machine does. The last sign of life, from
// which the lease counts, comes up to a second before the loss, so most take less than that.
const lookWithin = 2 * time.Second

// seenBy returns when somebody else than the lost worker first looked: when it read a verdict,
// or wrote the table. Zero where nobody has. It is asked before the lost one works again.
func (c *cell) seenBy(ctx context.Context, release string, gone time.Time, who string) (first time.Time, err error) {
	for _, l := range c.watch.seen() {
		if l.at.After(gone) && l.holder != who {
			first = l.at
			break
		}
	}
	for after := int64(0); ; {
		var page client.Page[client.JudgedSample]
		if page, err = c.api.Samples(ctx, release, "", after, 200); err != nil {
			return first, err
		}
		for _, s := range page.Items {
			after = s.ID
			if at := s.Point.Looked; at.After(gone) && (first.IsZero() || at.Before(first)) {
				first = at
			}
		}
		if page.Next == "" {
			return first, nil
		}
	}
}

// alone is for how long nobody looked at a canary after its worker was lost, and at least how
// long where nobody did until the end; false where the worker was not lost, or where there was
// no canary to be looked at.
func (x cutOff) alone() (time.Duration, bool) {
	switch {
	case !x.lost || !x.exposed:
		return 0, false
	case x.looked.IsZero():
		return x.ends.Sub(x.began), true
	}
	return x.looked.Sub(x.began), true
}

// alone are for how long canaries were left alone whose worker was lost, and never how many of
// them until the end.
func (r *result) alone() (all []time.Duration, never int) {
	for _, x := range r.cuts {
		if d, ok := x.alone(); ok {
			if all = append(all, d); x.looked.IsZero() {
				never++
			}
		}
	}
	return all, never
}
