package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/fairwayhq/fairway/internal/fault"
)

// Imported is what an import has brought.
type Imported struct {
	Releases, Lines, Rows int64
	// Before says that an import that was broken off had brought it already.
	Before bool
}

// importedTables are all tables of SQLite but the mark, each after those that it refers to.
// Their columns have the same names in PostgreSQL.
var importedTables = []string{
	"plans", "releases", "components", "runs", "tasks", "fences", "lanes", "freezes", "homes", "events", "scales", "points",
	"evidence", "outbox", "idempotency", "users", "tokens", "sessions", "alive", "drifts", "chores",
}

// truths are the columns that are 0 or 1 in SQLite.
var truths = map[string]bool{"tasks.undo": true, "tasks.job": true, "tasks.exposed": true, "lanes.held": true, "tokens.worker": true}

// Import brings everything from a database file, which no server may have open, into the
// PostgreSQL database, which must be empty, in one transaction. Before it and at its end
// every chain of the ledger is verified, up to the head that its run knows; an import that
// does not end well leaves nothing. The file's tables are brought up to date, and it gets a
// mark, with which no server starts on it. Where an import was broken off and nobody heard how
// its commit ended, only that place may be tried again, and it ends well also where all is
// there. It returns fault.NotFound where there is no such file, and fault.Conflict where a
// chain is broken, a server has the file open, it was imported before, or the database is
// not empty.
func (p *Postgres) Import(ctx context.Context, file string) (Imported, error) {
	if err := mustExist(file); err != nil {
		return Imported{}, err
	}
	from, err := openMoved(ctx, Config{Path: file}) // locks it, and brings its tables up to date
	if err != nil {
		return Imported{}, err
	}
	defer func() { _ = from.Close() }()
	former, err := moveOf(ctx, file)
	switch {
	case err != nil:
		return Imported{}, err
	case former != nil && former.ended:
		return Imported{}, former.refuses(file)
	}
	found, err := Verify(ctx, file)
	if err != nil {
		return Imported{}, err
	}
	db, err := openDatabase(file, forReading)
	if err != nil {
		return Imported{}, openFault(err, file)
	}
	defer func() { _ = db.Close() }()
	return p.importFrom(ctx, source{file: file, db: db, st: from, found: found, former: former})
}

// source is a file that is imported.
type source struct {
	file string
	db   *sql.DB
	st   *SQLite
	// found is what it has.
	found Inventory
	// former is the mark of an import that was broken off; nil where there was none.
	former *move
}

func mustExist(file string) error {
	if _, err := os.Stat(file); err != nil {
		return fault.Errorf(fault.NotFound, "there is no database to import: %w", err).
			WithHint("name the file fairway.db in the data folder of the server that it belonged to")
	}
	return nil
}

func (p *Postgres) importFrom(ctx context.Context, from source) (got Imported, err error) {
	tx, err := p.pool.Begin(ctx)
	if err != nil {
		return got, postgresFault(err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	// A large import takes longer than any other statement may.
	if _, err := tx.Exec(ctx, "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0"); err != nil {
		return got, postgresFault(err)
	}
	switch empty, err := isEmpty(ctx, tx); {
	case err != nil:
		return got, err
	case !empty:
		return from.endedIn(ctx, tx)
	case from.former != nil && from.former.place != placeOf(tx):
		return got, from.former.refuses(from.file)
	}
	if got, err = copyAll(ctx, from.db, tx); err != nil {
		return got, err
	}
	// The same transaction reads back what it has brought.
	session := p.newSession(ctx, tx.Conn())
	session.sent = true
	if err := chainsWhole(&Tx{conn: session, plans: p.plans, ctx: ctx}); err != nil {
		return got, err
	}
	return got, from.commit(ctx, tx)
}

// isEmpty locks everybody else out until the import has ended, so that a commit of an earlier
// one that is still on its way has ended, too.
func isEmpty(ctx context.Context, tx pgx.Tx) (bool, error) {
	if _, err := tx.Exec(ctx, "LOCK TABLE releases, users, events IN EXCLUSIVE MODE"); err != nil {
		return false, postgresFault(err)
	}
	var rows int
	err := tx.QueryRow(ctx, "SELECT (SELECT count(*) FROM releases) + (SELECT count(*) FROM users) + (SELECT count(*) FROM events)").Scan(&rows)
	return rows == 0, postgresFault(err)
}

func copyAll(ctx context.Context, db *sql.DB, tx pgx.Tx) (got Imported, err error) {
	services, err := column(ctx, db, "SELECT service FROM releases UNION SELECT service FROM tasks UNION SELECT service FROM homes UNION SELECT service FROM components")
	if err != nil {
		return got, translate(err)
	}
	if _, err := tx.Exec(ctx, insertTurns, services); err != nil {
		return got, postgresFault(err)
	}
	for _, table := range importedTables {
		n, err := copyTable(ctx, db, tx, table)
		if err != nil {
			return got, fault.Errorf(codeOr(err), "import table %s: %w", table, err).WithHint("%s", fault.HintOf(err))
		}
		got.Rows += n
		switch table {
		case "releases":
			got.Releases = n
		case "events":
			got.Lines = n
		}
	}
	for _, statement := range []string{
		"SELECT setval(pg_get_serial_sequence('points', 'id'), coalesce(max(id), 0) + 1, false) FROM points", raiseNumbering,
	} {
		if _, err := tx.Exec(ctx, statement); err != nil {
			return got, postgresFault(err)
		}
	}
	return got, nil
}

// commit marks the file before the commit, since the process may end right behind it, and
// puts the mark back that was there where it surely was not made.
func (from source) commit(ctx context.Context, tx pgx.Tx) error {
	m := move{place: placeOf(tx), at: time.Now()}
	if err := from.st.mark(ctx, &m); err != nil {
		return err
	}
	last := context.WithoutCancel(ctx)
	if err := tx.Commit(ctx); err != nil {
		if isBroken(err) {
			return fault.Errorf(fault.Unavailable, "nobody has heard how the import's last step ended: %w", err).
				WithHint("run the import again, into the same database: it says so if all is there already")
		}
		return errors.Join(postgresFault(err), from.st.mark(last, from.former))
	}
	return from.ended(last, m)
}

func (from source) ended(ctx context.Context, m move) error {
	m.ended = true
	if err := from.st.mark(ctx, &m); err != nil {
		return fault.Errorf(fault.CodeOf(err), "everything is imported, but the file could not be told that the import has ended: %w", err).
			WithHint("start the servers on the new database; none will start on the file")
	}
	return nil
}

// placeOf is what people know the database by.
func placeOf(tx pgx.Tx) string {
	to := tx.Conn().Config()
	return fmt.Sprintf("the database %s at %s:%d", to.Database, to.Host, to.Port)
}

// codeOr is the error's code, or internal.
func codeOr(err error) fault.Code {
	if code := fault.CodeOf(err); code != "" {
		return code
	}
	return fault.Internal
}

// copyTable copies all rows, by the columns that the file has.
func copyTable(ctx context.Context, db *sql.DB, tx pgx.Tx, table string) (int64, error) {
	columns, err := column(ctx, db, "SELECT name FROM pragma_table_info("+quoted(table)+")")
	if err != nil {
		return 0, translate(err)
	}
	rows, err := db.QueryContext(ctx, "SELECT "+strings.Join(columns, ", ")+" FROM "+table)
	if err != nil {
		return 0, translate(err)
	}
	defer func() { _ = rows.Close() }()
	source := &copied{rows: rows, table: table, columns: columns}
	n, err := tx.CopyFrom(ctx, pgx.Identifier{table}, columns, source)
	return n, errors.Join(postgresFault(err), translate(rows.Close()))
}

func quoted(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// copied gives the rows of SQLite as PostgreSQL wants them.
type copied struct {
	rows    *sql.Rows
	table   string
	columns []string
}

func (c *copied) Next() bool { return c.rows.Next() }
func (c *copied) Err() error { return c.rows.Err() }

func (c *copied) Values() ([]any, error) {
	values := make([]any, len(c.columns))
	places := make([]any, len(c.columns))
	for i := range values {
		places[i] = &values[i]
	}
	if err := c.rows.Scan(places...); err != nil {
		return nil, err
	}
	for i, name := range c.columns {
		if truths[c.table+"."+name] {
			values[i] = values[i] == int64(1)
		}
	}
	return values, nil
}

// column returns the rows of a query of one column.
func column(ctx context.Context, db *sql.DB, query string) (all []string, err error) {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, rows.Err()
}
