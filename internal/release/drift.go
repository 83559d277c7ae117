package release

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/fairwayhq/fairway/internal/drift"
	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/inquiry"
	"github.com/fairwayhq/fairway/internal/ledger"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

// lane is one that may be looked at for drift: nothing moves in it.
type lane struct {
	name, service, environment, home string
	inquiry                          inquiry.Inquiry
}

// failuresBorne is how many lanes of an environment may fail in a row before the others
// of that environment are left for the next time: its worker is gone, or its cluster.
const failuresBorne = 2

// LookForDrift asks for the drift of every lane that is at rest, one after the other, and
// writes into the home's chain what has changed since the last time. What could not be
// asked is left as it was; the error names it.
func (c *Control) LookForDrift(ctx context.Context) error {
	lanes, err := c.lanesAtRest(ctx)
	if err != nil {
		return err
	}
	var failed []error
	failures := map[string]int{}
	var same []drive.Drift
	for _, l := range lanes {
		if failures[l.environment] > failuresBorne {
			continue
		}
		answer, err := c.inquirer.Ask(ctx, l.inquiry)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			if fault.CodeOf(err) == fault.Unavailable {
				failures[l.environment]++
			}
			failed = append(failed, fmt.Errorf("%s: %w", l.name, err))
			continue
		}
		failures[l.environment] = 0
		unchanged, err := c.noteDrift(ctx, l, c.seen(l, answer))
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", l.name, err))
		}
		if unchanged != nil {
			same = append(same, *unchanged)
		}
	}
	return errors.Join(append(failed, c.stillSo(ctx, same))...)
}

// lanesAtRest are all lanes with a home that can be compared, in which nothing moves or waits.
func (c *Control) lanesAtRest(ctx context.Context) (all []lane, err error) {
	err = c.view(ctx, func(tx Tx) error {
		all = nil
		services, err := tx.Services()
		if err != nil {
			return err
		}
		for _, service := range services {
			homes, err := tx.Homes(service)
			if err != nil {
				return err
			}
			for environment := range homes {
				l, err := laneAtRest(tx, service, environment)
				if err != nil {
					return err
				}
				if l != nil {
					all = append(all, *l)
				}
			}
		}
		return nil
	})
	return all, err
}

// laneAtRest is the lane, or nil if something moves in it or it cannot be compared.
func laneAtRest(tx Tx, service, environment string) (*lane, error) {
	home, err := homeOf(tx, service, environment)
	if err != nil {
		return nil, err
	}
	env := home.run.Plan.Environment(environment)
	if env == nil || env.Platform != pipeline.PlatformKubernetes {
		return nil, nil
	}
	l := &lane{
		name: laneOf(home.run.Plan, environment), service: service, environment: environment, home: home.ID,
		inquiry: inquiryOf(inquiry.Drift, home.run.Plan, env),
	}
	moving, err := tx.Lane(l.name)
	if err != nil || len(moving) > 0 {
		return nil, err
	}
	return l, nil
}

// maxFields is how many fields are named where something has drifted.
const maxFields = 20

// seen is an answer as it is kept: without values, which may be anything.
func (c *Control) seen(l lane, a inquiry.Answer) drive.Drift {
	now := c.now()
	d := drive.Drift{Lane: l.name, Release: l.home, Since: now, At: now}
	if len(a.Differences) == 0 {
		return d
	}
	text, _ := json.Marshal(a.Differences) // plain values
	sum := sha256.Sum256(text)
	d.Count = len(a.Differences)
	d.Hash = hex.EncodeToString(sum[:])
	for i, one := range a.Differences {
		if i == maxFields {
			d.Fields = append(d.Fields, fmt.Sprintf("%d more", len(a.Differences)-maxFields))
			break
		}
		d.Fields = append(d.Fields, fieldOf(one))
	}
	return d
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

// noteDrift keeps what was seen, and tells what is new about it. What is unchanged is
// given back, so that it can be kept together with the rest.
func (c *Control) noteDrift(ctx context.Context, l lane, now drive.Drift) (unchanged *drive.Drift, err error) {
	noted := nothing
	err = c.store.Update(ctx, func(tx Tx) error {
		unchanged, noted = nil, nothing
		still, err := laneAtRest(tx, l.service, l.environment)
		if err != nil || still == nil || still.home != l.home {
			return err // something has begun to move meanwhile
		}
		before, err := tx.Drift(l.name)
		if err != nil {
			return err
		}
		if before.Release != now.Release {
			before = drive.Drift{}
		}
		if before.Hash == now.Hash && !before.At.IsZero() {
			before.At = now.At
			unchanged = &before
			return nil
		}
		if err := tx.SaveDrift(now); err != nil {
			return err
		}
		if before.Hash != now.Hash {
			if noted, err = c.drive.Note(tx, l.home, driftLine(l, before, now)); err != nil {
				return err
			}
		}
		waiting, err := unfinishedOf(tx, l.service)
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

// unfinishedOf are the releases of the service that may wait at a gate.
func unfinishedOf(tx Tx, service string) ([]string, error) {
	all, err := tx.Unfinished()
	if err != nil {
		return nil, err
	}
	var own []string
	for _, id := range all {
		r, err := tx.LoadRelease(id)
		if err != nil {
			return nil, err
		}
		if r.Service == service {
			own = append(own, id)
		}
	}
	return own, nil
}

// driftLine tells what is new.
func driftLine(l lane, before, now drive.Drift) ledger.Event {
	line := ledger.Event{Kind: "drift.found", Actor: "fairway", Environment: l.environment}
	switch {
	case now.Hash == "":
		line.Kind, line.Text = "drift.gone", fmt.Sprintf("What runs in %s is as the release says again.", l.environment)
		return line
	case before.Hash != "":
		line.Kind = "drift.changed"
	}
	line.Text = fmt.Sprintf("What runs in %s is not as the release says: %s.", l.environment, strings.Join(now.Fields, ", "))
	line.Data, _ = json.Marshal(map[string]any{"fields": now.Fields}) // plain values
	return line
}

// stillSo keeps, in one transaction, when those lanes were last seen as they were.
func (c *Control) stillSo(ctx context.Context, same []drive.Drift) error {
	if len(same) == 0 {
		return nil
	}
	return c.store.Update(ctx, func(tx Tx) error {
		for _, d := range same {
			if err := tx.SaveDrift(d); err != nil {
				return err
			}
		}
		return nil
	})
}

// DriftView is what was last seen of the drift of a lane.
type DriftView struct {
	// Fields are what had drifted, for people; none where nothing had.
	Fields []string
	// Since is when it was first seen as it is, At when it was seen last.
	Since, At time.Time
}

// driftOf is what was last seen since the release is at home in the lane; nil where nobody
// has looked yet.
func driftOf(tx Tx, lane, home string) (*DriftView, error) {
	d, err := tx.Drift(lane)
	if err != nil || d.At.IsZero() || d.Release != home {
		return nil, err
	}
	return &DriftView{Fields: d.Fields, Since: d.Since, At: d.At}, nil
}

// driftsOf is what was last seen wherever the release is at home.
func driftsOf(tx Tx, s subject, homes map[string]string) (map[string]DriftView, error) {
	all := map[string]DriftView{}
	for environment, home := range homes {
		if home != s.ID {
			continue
		}
		d, err := driftOf(tx, laneOf(s.run.Plan, environment), home)
		if err != nil {
			return nil, err
		}
		if d != nil {
			all[environment] = *d
		}
	}
	return all, nil
}
