package store

import (
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/ledger"
)

// SQLite, which has one writer, gives a line the next number by itself.
const insertEvent = `INSERT INTO events (release, seq, at, kind, actor, environment, stage, text, data, previous, hash)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`

// AppendEvents adds lines to the ledger as they are. A line whose number its
// chain has already is a fault.Conflict.
func (tx *Tx) AppendEvents(lines []ledger.Event) error {
	for _, e := range lines {
		query, args := insertEvent, []any{e.Release, e.Seq, nanos(e.At), e.Kind, e.Actor, e.Environment, e.Stage,
			e.Text, rawText(e.Data), e.Previous, e.Hash}
		if tx.conn.dialect() == dialectPostgres {
			query, args = insertNumberedEvent, append(args, tx.lines)
		}
		if tx.lines++; tx.lines >= numbersPerTransaction {
			return fault.Errorf(fault.Internal, "a transaction adds more than %d lines to the ledger", numbersPerTransaction-1)
		}
		err := tx.writeOr(func(_ int64, err error) error {
			if fault.CodeOf(err) == fault.Conflict {
				return fault.Errorf(fault.Conflict, "line %d of release %s is written already", e.Seq, e.Release)
			}
			return err
		}, query, args...)
		if err != nil {
			return err
		}
	}
	return nil
}

const eventColumns = `number, release, seq, at, kind, actor, environment, stage, text, data, previous, hash`

const selectChain = `SELECT ` + eventColumns + ` FROM events WHERE release = $1 AND seq > $2 ORDER BY seq LIMIT $3`

// LoadEvents returns at most limit lines of the release's chain with Seq above after.
func (tx *Tx) LoadEvents(release string, after int64, limit int) ([]ledger.Event, error) {
	lines, _, err := tx.events(selectChain, release, after, limited(limit))
	return lines, err
}

const selectLinesBy = `SELECT ` + eventColumns + ` FROM events WHERE release = $1 AND actor = $2 ORDER BY seq`

// LinesBy returns the lines of the release that the actor has caused, in order.
func (tx *Tx) LinesBy(release, actor string) ([]ledger.Event, error) {
	lines, _, err := tx.events(selectLinesBy, release, actor)
	return lines, err
}

const selectRecent = `SELECT ` + eventColumns + ` FROM events WHERE number > $1 AND number < $3 ORDER BY number LIMIT $2`

// RecentEvents returns at most limit lines over all releases whose store-wide
// number is above after, as they were written, and the number of the last one:
// after itself where there is none.
func (tx *Tx) RecentEvents(after int64, limit int) ([]ledger.Event, int64, error) {
	settled, err := tx.settledNumber()
	if err != nil {
		return nil, after, err
	}
	lines, last, err := tx.events(selectRecent, after, limited(limit), settled)
	return lines, max(last, after), err
}

const selectLastNumber = `SELECT coalesce(max(number), 0) FROM events WHERE number < $1`

// LastNumber returns the store-wide number of the last line that RecentEvents may
// return; 0 where there is none.
func (tx *Tx) LastNumber() (last int64, err error) {
	settled, err := tx.settledNumber()
	if err != nil {
		return 0, err
	}
	_, err = tx.row([]any{&last}, selectLastNumber, settled)
	return last, err
}

const selectChains = `SELECT DISTINCT release FROM events ORDER BY release`

// Chains returns the IDs of all chains in the ledger, sorted.
func (tx *Tx) Chains() ([]string, error) { return tx.list(selectChains) }

// events returns the lines and the store-wide number of the last one.
func (tx *Tx) events(query string, args ...any) (lines []ledger.Event, number int64, err error) {
	err = tx.rows(func(r rows) error {
		var e ledger.Event
		err := r.Scan(&number, &e.Release, &e.Seq, timeInto{&e.At}, &e.Kind, &e.Actor, &e.Environment, &e.Stage,
			&e.Text, rawInto{&e.Data}, &e.Previous, &e.Hash)
		lines = append(lines, e)
		return err
	}, query, args...)
	return lines, number, err
}
