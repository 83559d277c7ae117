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
	"github.com/fairwayhq/fairway/internal/ledger"
	"github.com/fairwayhq/fairway/internal/release"
)

// Imported is what an import has brought.
type Imported struct {
	Releases, Lines, Rows int64
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
// mark, with which no server starts on it. It returns fault.NotFound where there is no such
// file, and fault.Conflict where a chain is broken, a server has the file open, it was
// imported before, or the database is not empty.
func (p *Postgres) Import(ctx context.Context, file string) (Imported, error) {
	if err := mustExist(file); err != nil {
		return Imported{}, err
	}
	from, err := openMoved(ctx, Config{Path: file}) // locks it, and brings its tables up to date
	if err != nil {
		return Imported{}, err
	}
	defer func() { _ = from.Close() }()
	switch m, err := moveOf(ctx, file); {
	case err != nil:
		return Imported{}, err
	case m != nil && m.ended:
		return Imported{}, notMoved(ctx, file)
	}
	if _, err := Verify(ctx, file); err != nil {
		return Imported{}, err
	}
	db, err := openDatabase(file, forReading)
	if err != nil {
		return Imported{}, openFault(err, file)
	}
	defer func() { _ = db.Close() }()
	return p.importFrom(ctx, db, from)
}

func mustExist(file string) error {
	if _, err := os.Stat(file); err != nil {
		return fault.Errorf(fault.NotFound, "there is no database to import: %w", err).
			WithHint("name the file fairway.db in the data folder of the server that it belonged to")
	}
	return nil
}

func (p *Postgres) importFrom(ctx context.Context, db *sql.DB, from *SQLite) (got Imported, err error) {
	tx, err := p.pool.Begin(ctx)
	if err != nil {
		return got, postgresFault(err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	// A large import takes longer than any other statement may.
	if _, err := tx.Exec(ctx, "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0"); err != nil {
		return got, postgresFault(err)
	}
	if err := mustBeEmpty(ctx, tx); err != nil {
		return got, err
	}
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
	// The same transaction reads back what it has brought.
	session := p.newSession(ctx, tx.Conn())
	session.sent = true
	if err := chainsWhole(&Tx{conn: session, plans: p.plans, ctx: ctx}); err != nil {
		return got, err
	}
	return got, p.commitImport(ctx, tx, from)
}

// commitImport marks the file before the commit, since the process may end right behind it,
// and takes the mark away where there was surely none.
func (p *Postgres) commitImport(ctx context.Context, tx pgx.Tx, from *SQLite) error {
	to := tx.Conn().Config()
	m := move{place: fmt.Sprintf("the database %s at %s:%d", to.Database, to.Host, to.Port), at: time.Now()}
	if err := from.mark(ctx, m); err != nil {
		return err
	}
	last := context.WithoutCancel(ctx)
	if err := tx.Commit(ctx); err != nil {
		if isBroken(err) {
			return postgresFault(err)
		}
		return errors.Join(postgresFault(err), from.unmark(last))
	}
	m.ended = true
	if err := from.mark(last, m); err != nil {
		return fault.Errorf(fault.CodeOf(err), "everything is imported, but the file could not be told that the import has ended: %w", err).
			WithHint("start the servers on the new database; none will start on the file")
	}
	return nil
}

// codeOr is the error's code, or internal.
func codeOr(err error) fault.Code {
	if code := fault.CodeOf(err); code != "" {
		return code
	}
	return fault.Internal
}

// mustBeEmpty locks everybody else out until the import has ended.
func mustBeEmpty(ctx context.Context, tx pgx.Tx) error {
	if _, err := tx.Exec(ctx, "LOCK TABLE releases, users, events IN EXCLUSIVE MODE"); err != nil {
		return postgresFault(err)
	}
	var rows int
	err := tx.QueryRow(ctx, "SELECT (SELECT count(*) FROM releases) + (SELECT count(*) FROM users) + (SELECT count(*) FROM events)").Scan(&rows)
	if err != nil {
		return postgresFault(err)
	}
	if rows > 0 {
		return fault.Errorf(fault.Conflict, "the database is not empty: a server has used it, or something was imported already").
			WithHint("import into a new database, before the first server is started on it")
	}
	return nil
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
