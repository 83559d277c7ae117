package store

import (
	"fmt"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/ledger"
	"github.com/fairwayhq/fairway/internal/release"
)

// chainsWhole verifies every chain of the ledger, up to its run's head where it has one.
func chainsWhole(tx release.Tx) error {
	chains, err := tx.Chains()
	if err != nil {
		return err
	}
	for _, id := range chains {
		if err := chainWhole(tx, id); err != nil {
			return err
		}
	}
	return nil
}

func chainWhole(tx release.Tx, id string) error {
	lines, err := tx.LoadEvents(id, 0, 0)
	if err != nil {
		return err
	}
	r, err := tx.LoadRun(id)
	if fault.CodeOf(err) == fault.NotFound {
		err = ledger.Verify(lines)
	} else if err == nil {
		err = ledger.VerifyTo(lines, ledger.Head{Seq: r.Seq, Hash: r.Hash})
	}
	if err != nil {
		return fault.Errorf(fault.Conflict, "the ledger of release %s is not whole: %w", id, err).
			WithHint("%s", fmt.Sprintf("see `fairway events %s --verify`; restore the database from a backup", id))
	}
	return nil
}
