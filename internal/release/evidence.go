package release

import (
	"context"
	"fmt"
	"regexp"
	"slices"

	"github.com/fairwayhq/fairway/internal/auth"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

var wordForm = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)

// AddEvidence stores a fact about an artifact and tells all releases of the
// artifact that still go on. The ID, the time and who said it are filled in.
func (c *Control) AddEvidence(ctx context.Context, who auth.Identity, e pipeline.Evidence) (pipeline.Evidence, error) {
	if who.Worker || !who.Has(mayShip...) && !who.Has(auth.QA, auth.Security) {
		return pipeline.Evidence{}, denied(who, "add evidence", append([]auth.Role{auth.QA, auth.Security}, mayShip...))
	}
	if err := validEvidence(e); err != nil {
		return pipeline.Evidence{}, err
	}
	now := c.now().UTC()
	e.ID, e.At, e.By = newID(now), now, who.User
	var waiting []string
	err := c.store.Update(ctx, func(tx Tx) error {
		// Turns come before the fact, whose digest is locked too; a release that was made
		// meanwhile is seen at the second look.
		known, err := tx.WaitingOn(e.Digest)
		if err != nil {
			return err
		}
		if err := wakeAll(tx, c, known); err != nil {
			return err
		}
		if err := tx.AddEvidence(e); err != nil {
			return err
		}
		if waiting, err = tx.WaitingOn(e.Digest); err != nil {
			return err
		}
		return wakeAll(tx, c, slices.DeleteFunc(slices.Clone(waiting), func(id string) bool { return slices.Contains(known, id) }))
	})
	if err != nil {
		return pipeline.Evidence{}, err
	}
	c.drive.Wake()
	return e, c.tell(ctx, who, waiting, e)
}

// wakeAll has the runs looked at in any case, in the commit that stores the fact:
// a crash before they are told loses a line about it, not the fact.
func wakeAll(tx Tx, c *Control, releases []string) error {
	for _, id := range releases {
		record, err := tx.LoadRun(id)
		if err != nil {
			return err
		}
		if err := tx.SaveRun(record, c.now()); err != nil {
			return err
		}
	}
	return nil
}

func (c *Control) tell(ctx context.Context, who auth.Identity, releases []string, e pipeline.Evidence) error {
	about := e.Kind
	if e.Name != "" {
		about += " " + e.Name
	}
	for _, id := range releases {
		err := c.drive.Apply(ctx, id, pipeline.Event{
			Kind: pipeline.EventEvidence, Actor: who.User,
			Reason: fmt.Sprintf("Evidence from %s: %s is %s.", who.User, about, e.Status),
		})
		// A release that has ended since needs no telling.
		if err != nil && fault.CodeOf(err) != fault.Conflict {
			return err
		}
	}
	return nil
}

// Evidence returns all facts about the artifact, oldest first.
func (c *Control) Evidence(ctx context.Context, digest string) ([]pipeline.Evidence, error) {
	if !digestForm.MatchString(digest) {
		return nil, fault.Errorf(fault.Invalid, "%q is not a digest", digest).WithHint("a digest is sha256: and 64 hexadecimal digits in lower case")
	}
	var list []pipeline.Evidence
	err := c.view(ctx, func(tx Tx) error {
		var err error
		list, err = tx.Evidence(digest)
		return err
	})
	return list, err
}

func validEvidence(e pipeline.Evidence) error {
	const hint = "a word of lower-case letters, digits, dots, dashes and underscores, for instance tests or scan"
	switch {
	case !digestForm.MatchString(e.Digest):
		return fault.Errorf(fault.Invalid, "%q is not a digest", e.Digest).WithHint("a digest is sha256: and 64 hexadecimal digits in lower case")
	case !wordForm.MatchString(e.Kind):
		return fault.Errorf(fault.Invalid, "%q is not a kind of evidence", e.Kind).WithHint(hint)
	case e.Kind == "environment":
		return fault.Errorf(fault.Invalid, "evidence of kind environment is Fairway's own").WithHint("choose another kind")
	case !wordForm.MatchString(e.Status):
		return fault.Errorf(fault.Invalid, "%q is not a status", e.Status).WithHint("%s", "passed, failed, or "+hint)
	}
	return nil
}
