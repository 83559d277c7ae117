package store

import (
	"context"
	"database/sql"
	"errors"

	"github.com/fairwayhq/fairway/internal/fault"
)

// Tx is one transaction. It is valid only inside the function that it was given
// to, and not for several goroutines. Its methods stand beside their tables.
type Tx struct {
	conn     *connection
	plans    *planCache
	ctx      context.Context
	writable bool
	over     bool
	// failed is the first trouble of the store itself. It fails the transaction even
	// where the function that met it went on, and nothing more is done in it: SQLite
	// may have rolled it back already, and would commit each further write by itself.
	failed error
}

func (tx *Tx) outcome(err error) error {
	if err != nil {
		return err
	}
	return tx.failed
}

// exec runs a statement that changes rows, and returns how many.
func (tx *Tx) exec(query string, args ...any) (int64, error) {
	if err := tx.mayWrite(); err != nil {
		return 0, err
	}
	result, err := tx.conn.exec(query, args...)
	if err != nil {
		return 0, tx.fail(err)
	}
	n, err := result.RowsAffected()
	return n, tx.fail(err)
}

// row reads one row into dest and tells whether there was one.
func (tx *Tx) row(dest []any, query string, args ...any) (bool, error) {
	found := false
	err := tx.rows(func(r *sql.Rows) error {
		found = true
		return r.Scan(dest...)
	}, query, args...)
	return found, err
}

// rows calls scan for each row.
func (tx *Tx) rows(scan func(*sql.Rows) error, query string, args ...any) error {
	if err := tx.usable(); err != nil {
		return err
	}
	rows, err := tx.conn.query(query, args...)
	if err != nil {
		return tx.fail(err)
	}
	for rows.Next() {
		if err := scan(rows); err != nil {
			return tx.fail(errors.Join(err, rows.Close()))
		}
	}
	return tx.fail(errors.Join(rows.Err(), rows.Close()))
}

// list reads all rows of one column of text.
func (tx *Tx) list(query string, args ...any) ([]string, error) {
	var all []string
	err := tx.rows(func(r *sql.Rows) error {
		var s string
		err := r.Scan(&s)
		all = append(all, s)
		return err
	}, query, args...)
	return all, err
}

func (tx *Tx) mayWrite() error {
	if !tx.writable {
		return fault.Errorf(fault.Internal, "a view tried to change the database")
	}
	return tx.usable()
}

func (tx *Tx) usable() error {
	if tx.over {
		return fault.Errorf(fault.Internal, "a transaction was used after its end")
	}
	if tx.failed != nil {
		return tx.failed
	}
	if err := tx.ctx.Err(); err != nil {
		return cancelled(err)
	}
	return nil
}

func (tx *Tx) fail(err error) error {
	err = translate(err)
	if tx.failed == nil && severe(err) {
		tx.failed = err
	}
	return err
}
