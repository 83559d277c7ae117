package release

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fairwayhq/fairway/internal/drift"
	"github.com/fairwayhq/fairway/internal/drive"
)

// findings are what a look at a lane has found.
type findings struct {
	// plan is where what runs is not as the release says.
	plan []drift.Difference
	// git is where it is not as the repository says, unless unknown says why nobody knows.
	git     []drift.Difference
	unknown string
}

// maxFields is how many fields are named where something has drifted.
const maxFields = 20

// after are the findings as they are kept: without values, which may be anything. What is
// as before keeps its time.
func (f findings) after(before drive.Drift, l lane, now time.Time) drive.Drift {
	d := drive.Drift{Lane: l.name, Release: l.home, Seen: seen(f.plan, before.Seen, now), At: now}
	if !l.git {
		return d
	}
	last := drive.GitDrift{}
	if before.Git != nil {
		last = *before.Git
	}
	if f.unknown != "" {
		last.Unknown = f.unknown
		d.Git = &last
		return d
	}
	d.Git = &drive.GitDrift{Seen: seen(f.git, last.Seen, now)}
	for _, one := range f.git {
		same := func(other drift.Difference) bool { return fieldOf(other) == fieldOf(one) }
		if !slices.ContainsFunc(f.plan, same) {
			d.Git.More++
		}
	}
	return d
}

func seen(all []drift.Difference, before drive.Seen, now time.Time) drive.Seen {
	s := drive.Seen{Since: now, Count: len(all)}
	if len(all) > 0 {
		text, _ := json.Marshal(all) // plain values
		sum := sha256.Sum256(text)
		s.Hash = hex.EncodeToString(sum[:])
	}
	for i, one := range all {
		if i == maxFields {
			s.Fields = append(s.Fields, fmt.Sprintf("%d more", len(all)-maxFields))
			break
		}
		s.Fields = append(s.Fields, fieldOf(one))
	}
	if s.Hash == before.Hash && !before.Since.IsZero() {
		s.Since = before.Since
	}
	return s
}

func fieldOf(d drift.Difference) string {
	switch d.What {
	case drift.Missing:
		return d.Object.String() + " is missing"
	case drift.Extra:
		return d.Object.String() + " should not be there"
	}
	return d.Object.String() + " " + d.Path
}

// noteDrift keeps what was found, and tells what is new about it. What is unchanged is
// given back, so that it can be kept together with the rest.
func (c *Control) noteDrift(ctx context.Context, l lane, found findings) (unchanged *drive.Drift, err error) {
	noted := nothing
	err = c.store.Update(ctx, func(tx Tx) error {
		unchanged, noted = nil, nothing
		if err := tx.Turn(l.service); err != nil {
			return err
		}
		still, err := laneAtRest(tx, l.service, l.environment)
		if err != nil || still == nil || still.home != l.home {
			return err // something has begun to move meanwhile
		}
		before, err := tx.Drift(l.name)
		if err != nil {
			return err
		}
		if before.Release != l.home {
			before = drive.Drift{}
		}
		now := found.after(before, l, c.now())
		if !before.At.IsZero() && unmoved(before, now) {
			unchanged = &now
			return nil
		}
		if err := tx.SaveDrift(now); err != nil {
			return err
		}
		if lines := driftLines(l.environment, before, now); len(lines) > 0 {
			if noted, err = c.drive.Note(tx, l.home, lines...); err != nil {
				return err
			}
		}
		waiting, err := tx.UnfinishedOf(l.service)
		if err != nil {
			return err
		}
		return wakeAll(tx, c, waiting)
	})
	if err == nil && unchanged == nil {
		noted()
		c.drive.Wake()
	}
	return unchanged, err
}

// unmoved tells that nothing is new. Why a repository is not known may be said in other
// words each time.
func unmoved(before, now drive.Drift) bool {
	a, b := before.Git, now.Git
	if before.Hash != now.Hash || (a == nil) != (b == nil) {
		return false
	}
	return a == nil || a.Hash == b.Hash && (a.Unknown == "") == (b.Unknown == "")
}

// stillBatch is how many lanes are noted in one transaction.
const stillBatch = 100

// stillSo keeps when those lanes were last seen as they were, unless somebody has seen
// something else meanwhile.
func (c *Control) stillSo(ctx context.Context, same []drive.Drift) error {
	for some := range slices.Chunk(same, stillBatch) {
		services := make([]string, len(some))
		for i, d := range some {
			services[i], _, _ = strings.Cut(d.Lane, "/")
		}
		err := c.store.Update(ctx, func(tx Tx) error {
			if err := tx.Turn(services...); err != nil {
				return err
			}
			for _, d := range some {
				if err := stillSo(tx, d); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func stillSo(tx Tx, d drive.Drift) error {
	before, err := tx.Drift(d.Lane)
	if err != nil || before.Release != d.Release || !unmoved(before, d) || !before.At.Before(d.At) {
		return err
	}
	return tx.SaveDrift(d)
}
