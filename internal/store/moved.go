package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
)

// move is the mark that an import leaves in a database file, so that nobody goes on with the
// file beside the servers that go on with what was imported.
type move struct {
	place string
	at    time.Time
	// ended is false where nobody has heard how the commit of the import ended.
	ended bool
}

const (
	upsertMove = `INSERT INTO moved (id, place, at, ended) VALUES (1, $1, $2, $3)
		ON CONFLICT (id) DO UPDATE SET place = excluded.place, at = excluded.at, ended = excluded.ended`
	deleteMove = `DELETE FROM moved`
	selectMove = `SELECT place, at, ended FROM moved`
	// countMoved is 0 for a file from before there were marks.
	countMoved = `SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'moved'`
)

// mark gives the file the mark, or with nil takes away the one that it has.
func (s *SQLite) mark(ctx context.Context, m *move) error {
	return s.Update(ctx, func(tx *Tx) (err error) {
		if m == nil {
			_, err = tx.exec(deleteMove)
		} else {
			_, err = tx.exec(upsertMove, m.place, nanos(m.at), m.ended)
		}
		return err
	})
}

// moveOf reads the mark of a file; nil where it has none.
func moveOf(ctx context.Context, file string) (found *move, err error) {
	db, err := openPlain(file, "ro")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var tables int
	if err := db.QueryRowContext(ctx, countMoved).Scan(&tables); err != nil || tables == 0 {
		return nil, openFault(err, file)
	}
	var m move
	err = db.QueryRowContext(ctx, selectMove).Scan(&m.place, timeInto{&m.at}, &m.ended)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return &m, openFault(err, file)
}

// notMoved returns fault.Conflict for a file that was imported.
func notMoved(ctx context.Context, file string) error {
	m, err := moveOf(ctx, file)
	if err != nil || m == nil {
		return err
	}
	return m.refuses(file)
}

// refuses says why nobody goes on with the marked file.
func (m *move) refuses(file string) error {
	at := m.at.UTC().Format(time.RFC3339)
	again := fmt.Sprintf("to go on with the file all the same, stop the servers there and run `fairway server import --take-back --from %s`", file)
	if m.ended {
		return fault.Errorf(fault.Conflict, "the database %s was imported into %s at %s: what has happened since is there", file, m.place, at).
			WithHint("name that one by --database or FAIRWAY_DATABASE, and back it up with pg_dump; %s", again)
	}
	return fault.Errorf(fault.Conflict, "an import of the database %s into %s was broken off at %s, in its last step", file, m.place, at).
		WithHint("run the import again, into the same database, under the same address: it says so if all is there already; %s", again)
}

// TakeBack takes the mark of an import away, so that a server may go on with the file, and
// returns into what it was imported. It returns fault.Conflict where it was not.
func TakeBack(ctx context.Context, file string) (place string, err error) {
	if err := mustExist(file); err != nil {
		return "", err
	}
	st, err := openMoved(ctx, Config{Path: file})
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	m, err := moveOf(ctx, file)
	if err != nil {
		return "", err
	}
	if m == nil {
		return "", fault.Errorf(fault.Conflict, "the database %s was not imported, so a server may go on with it as it is", file)
	}
	return m.place, st.mark(ctx, nil)
}
