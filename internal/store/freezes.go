package store

import (
	"time"

	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/fault"
)

const selectFreezes = `SELECT body FROM freezes WHERE ended_at = 0 ORDER BY id`

// Freezes returns all freezes that were not ended, also those whose window is past or to come.
func (tx *Tx) Freezes() ([]drive.Freeze, error) {
	if err := tx.lockFreezes(readFreezes); err != nil {
		return nil, err
	}
	var all []drive.Freeze
	err := tx.rows(func(r rows) error {
		var f drive.Freeze
		err := r.Scan(jsonInto{&f})
		all = append(all, f)
		return err
	}, selectFreezes)
	return all, err
}

const insertFreeze = `INSERT INTO freezes (id, ended_at, body) VALUES ($1, 0, $2)`

// AddFreeze stores the freeze; a second one of the same ID is a fault.Conflict.
func (tx *Tx) AddFreeze(f drive.Freeze) error {
	body, err := jsonText(f)
	if err != nil {
		return err
	}
	if err := tx.lockFreezes(changeFreezes); err != nil {
		return err
	}
	return tx.writeOr(func(_ int64, err error) error {
		if fault.CodeOf(err) == fault.Conflict {
			return fault.Errorf(fault.Conflict, "freeze %s exists already", f.ID)
		}
		return err
	}, insertFreeze, f.ID, body)
}

const updateFreeze = `UPDATE freezes SET ended_at = $2 WHERE id = $1 AND ended_at = 0`

// EndFreeze ends the freeze, or returns fault.NotFound where none of the ID is left to end.
func (tx *Tx) EndFreeze(id string, at time.Time) error {
	if err := tx.lockFreezes(changeFreezes); err != nil {
		return err
	}
	n, err := tx.exec(updateFreeze, id, nanos(at))
	if err == nil && n == 0 {
		return fault.Errorf(fault.NotFound, "there is no freeze %s that could be ended", id).
			WithHint("list the freezes with `fairway freeze`")
	}
	return err
}
