package store

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/ledger"
)

// Inventory is what a database was found to have.
type Inventory struct {
	Releases int   `json:"releases"`
	Lines    int64 `json:"lines"`
	// Schema is the version of the tables.
	Schema int64 `json:"schema"`
	Bytes  int64 `json:"bytes"`
	// Last is when the last line was written; zero if there is none.
	Last time.Time `json:"last,omitzero"`
}

// Verify proves that a database file is whole: its pages and references, and every chain of
// its ledger up to the head that the release's run knows. It changes nothing. It returns
// fault.Conflict for a file that is damaged, changed, of a newer Fairway or of another program,
// and fault.Denied for one with a log in a folder that may not be written.
func Verify(ctx context.Context, file string) (Inventory, error) {
	return verify(ctx, file, file)
}

// verify is about a file that people know by the name.
func verify(ctx context.Context, file, name string) (found Inventory, err error) {
	info, err := os.Stat(file)
	if err != nil {
		return found, fault.Errorf(fault.NotFound, "there is no database: %w", err)
	}
	db, err := openPlain(file, "ro")
	if err != nil {
		return found, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := intact(ctx, db, name); err != nil {
		return found, err
	}
	if found.Schema, err = schemaVersion(ctx, db); err != nil {
		return found, openFault(err, name)
	}
	switch newest, err := newestMigration(folderSQLite); {
	case err != nil:
		return found, err
	case found.Schema == 0:
		return found, errForeign
	case found.Schema > newest:
		return found, newerSchema(name, found.Schema, newest)
	}
	found.Bytes = info.Size()
	return found, verifyLedger(ctx, db, &found)
}

// intact asks SQLite itself. Both pragmas list what is wrong, and nothing else.
func intact(ctx context.Context, db *sql.DB, file string) error {
	var says string
	err := db.QueryRowContext(ctx, `PRAGMA integrity_check(1)`).Scan(&says)
	if err := notLooked(ctx, err, file); err != nil {
		return err
	}
	if err != nil || says != "ok" {
		return fault.Errorf(fault.Conflict, "the database %s is damaged: %s", file, errorOr(err, says)).
			WithHint("use another backup")
	}
	rows, err := db.QueryContext(ctx, `PRAGMA foreign_key_check`)
	if err != nil {
		return translate(err)
	}
	defer rows.Close()
	if rows.Next() {
		return fault.Errorf(fault.Conflict, "the database %s is damaged: rows refer to others that are not there", file).
			WithHint("use another backup")
	}
	return rows.Err()
}

// notLooked is about what keeps SQLite from looking, which says nothing about the file: it may
// be the only good backup. It is nil where the error is about what was found.
func notLooked(ctx context.Context, err error, file string) error {
	var e *sqlite.Error
	switch {
	case err != nil && ctx.Err() != nil:
		return ctx.Err()
	case !errors.As(err, &e), e.Code() == sqlite3.SQLITE_IOERR_SHORT_READ:
		return nil
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM:
		return fault.Errorf(fault.Denied, "the database %s could not be opened, which says nothing about whether it is whole: %w", file, err).
			WithHint("let the user that runs the command read the file and write in its folder")
	case sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return translate(err)
	}
	return nil
}

func errorOr(err error, text string) string {
	if err != nil {
		return err.Error()
	}
	return text
}

// Both are in the order of chains, so that one pass over each is enough. They are kept to
// columns that every version of the tables has.
const (
	selectHeads = `SELECT release, seq, hash FROM runs ORDER BY release`
	selectLines = `SELECT release, seq, at, kind, actor, environment, stage, text, data, previous, hash
		FROM events WHERE release = $1 ORDER BY seq`
	countOrphans = `SELECT count(*) FROM events WHERE release NOT IN (SELECT release FROM runs)`
)

func verifyLedger(ctx context.Context, db *sql.DB, found *Inventory) error {
	heads, err := headsOf(ctx, db)
	if err != nil {
		return translate(err)
	}
	found.Releases = len(heads)
	for release, head := range heads {
		if err := verifyChain(ctx, db, release, head, found); err != nil {
			return err
		}
	}
	var orphans int64
	if err := db.QueryRowContext(ctx, countOrphans).Scan(&orphans); err != nil {
		return translate(err)
	}
	if orphans > 0 {
		return fault.Errorf(fault.Conflict, "the ledger has %d lines of releases that are not there", orphans).
			WithHint("the database was changed outside of Fairway: use another backup")
	}
	return nil
}

func headsOf(ctx context.Context, db *sql.DB) (map[string]ledger.Head, error) {
	rows, err := db.QueryContext(ctx, selectHeads)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	heads := map[string]ledger.Head{}
	for rows.Next() {
		var release string
		var head ledger.Head
		if err := rows.Scan(&release, &head.Seq, &head.Hash); err != nil {
			return nil, err
		}
		heads[release] = head
	}
	return heads, rows.Err()
}

func verifyChain(ctx context.Context, db *sql.DB, release string, head ledger.Head, found *Inventory) error {
	rows, err := db.QueryContext(ctx, selectLines, release)
	if err != nil {
		return translate(err)
	}
	defer rows.Close()
	var v ledger.Verifier
	for rows.Next() {
		var e ledger.Event
		err := rows.Scan(&e.Release, &e.Seq, timeInto{&e.At}, &e.Kind, &e.Actor, &e.Environment, &e.Stage,
			&e.Text, rawInto{&e.Data}, &e.Previous, &e.Hash)
		if err != nil {
			return translate(err)
		}
		if err := v.Add(e); err != nil {
			return err
		}
		found.Lines++
		if e.At.After(found.Last) {
			found.Last = e.At
		}
	}
	if err := rows.Err(); err != nil {
		return translate(err)
	}
	return v.EndsAt(head)
}
