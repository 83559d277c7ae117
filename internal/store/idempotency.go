package store

import (
	"errors"

	"github.com/fairwayhq/fairway/internal/fault"
)

const (
	selectRepeated = `SELECT release FROM idempotency WHERE actor = $1 AND key = $2`
	insertRepeated = `INSERT INTO idempotency (actor, key, release) VALUES ($1, $2, $3)`
)

// Repeated returns the release that the actor created under the key, or "".
func (tx *Tx) Repeated(actor, key string) (string, error) {
	var release string
	_, err := tx.row([]any{&release}, selectRepeated, actor, key)
	return release, err
}

// Remember notes which release the actor created under the key, once.
func (tx *Tx) Remember(actor, key, release string) error {
	return tx.writeOr(func(_ int64, err error) error {
		if fault.CodeOf(err) == fault.Conflict {
			// Another server may have remembered it since this transaction looked.
			return errors.Join(fault.Errorf(fault.Conflict, "the idempotency key %q was used already", key), errAgain)
		}
		return err
	}, insertRepeated, actor, key, release)
}
