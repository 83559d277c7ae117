package release

import (
	"context"
	"errors"

	"github.com/fairwayhq/fairway/internal/ledger"
)

// EventsOf returns at most limit lines of the release's chain after the line with
// the number after, and whether there are more.
func (c *Control) EventsOf(ctx context.Context, ref string, after int64, limit int) ([]ledger.Event, bool, error) {
	limit = pageLimit(limit)
	var lines []ledger.Event
	err := c.view(ctx, func(tx Tx) error {
		r, err := find(tx, ref)
		if err != nil {
			return err
		}
		lines, err = tx.LoadEvents(r.ID, after, limit+1)
		return err
	})
	if err != nil || len(lines) <= limit {
		return lines, false, err
	}
	return lines[:limit], true, nil
}

// Recent returns at most limit lines of all releases, in the order in which they
// were written, after the store-wide number after, and the number of the last one
// (after itself if there is none).
func (c *Control) Recent(ctx context.Context, after int64, limit int) ([]ledger.Event, int64, error) {
	var lines []ledger.Event
	last := after
	err := c.view(ctx, func(tx Tx) error {
		found, n, err := tx.RecentEvents(after, limit)
		if err == nil && len(found) > 0 {
			lines, last = found, n
		}
		return err
	})
	return lines, last, err
}

// Verification is the result of checking a release's chain.
type Verification struct {
	Release string
	Lines   int64
	// Broken names the first broken line and what is wrong with it; empty if the chain is whole.
	Broken string
	Head   string
	// Removed says what was removed of the chain because it was old; empty if nothing was.
	Removed string
}

// Verify proves that nothing in the release's chain was changed, removed or
// added since, up to the head that its run knows.
func (c *Control) Verify(ctx context.Context, ref string) (Verification, error) {
	const page = 1000
	var v Verification
	err := c.view(ctx, func(tx Tx) error {
		r, err := find(tx, ref)
		if err != nil {
			return err
		}
		record, err := tx.LoadRun(r.ID)
		if err != nil {
			return err
		}
		v = Verification{Release: r.ID}
		var verifier ledger.Verifier
		for {
			lines, err := tx.LoadEvents(r.ID, v.Lines, page)
			if err != nil {
				return err
			}
			for _, line := range lines {
				if err := verifier.Add(line); err != nil {
					return v.found(err)
				}
				if line.Kind == ledger.KindRemoved {
					v.Removed = line.Text
				}
				v.Lines = line.Seq
			}
			if len(lines) < page {
				break
			}
		}
		v.Head = verifier.Head().Hash
		if err := verifier.EndsAt(ledger.Head{Seq: record.Seq, Hash: record.Hash}); err != nil {
			return v.found(err)
		}
		return nil
	})
	return v, err
}

// VerifyAll proves the chains of all releases and returns the broken ones.
func (c *Control) VerifyAll(ctx context.Context) (broken []Verification, err error) {
	const page = 100
	before := ""
	for {
		var list []Summary
		err := c.view(ctx, func(tx Tx) (err error) {
			list, err = tx.ListReleases(Filter{Before: before, Limit: page})
			return err
		})
		if err != nil {
			return broken, err
		}
		for _, r := range list {
			v, err := c.Verify(ctx, r.ID)
			if err != nil {
				return broken, err
			}
			if v.Broken != "" {
				broken = append(broken, v)
			}
			before = r.ID
		}
		if len(list) < page {
			return broken, nil
		}
	}
}

// found takes a broken chain as a result; anything else stays an error.
func (v *Verification) found(err error) error {
	var b *ledger.Broken
	if !errors.As(err, &b) {
		return err
	}
	v.Broken = err.Error()
	return nil
}
