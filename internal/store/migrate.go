package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"io/fs"
	"strconv"
	"strings"

	"github.com/pressly/goose/v3"

	"github.com/fairwayhq/fairway/internal/fault"
)

//go:embed migrations/sqlite/*.sql migrations/postgres/*.sql
var migrations embed.FS

// The same version stands for the same tables in both.
const (
	folderSQLite   = "migrations/sqlite"
	folderPostgres = "migrations/postgres"
)

// migrate brings the tables up to date. A database that is so already costs one
// query, since every start of a server waits for this.
func migrate(ctx context.Context, file string) (err error) {
	db, err := openDatabase(file, forWriting)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()

	have, err := schemaVersion(ctx, db)
	if err != nil {
		return err
	}
	want, err := newestMigration(folderSQLite)
	switch {
	case err != nil:
		return err
	case have == want:
		return nil
	case have > want:
		return newerSchema(file, have, want)
	}
	return runMigrations(ctx, db)
}

func newerSchema(database string, have, want int64) error {
	return fault.Errorf(fault.Conflict, "the database %s was written by a newer Fairway: its tables have version %d, this one knows %d", database, have, want).
		WithHint("start the newer Fairway, or restore a backup from before the upgrade")
}

func runMigrations(ctx context.Context, db *sql.DB) error {
	folder, err := fs.Sub(migrations, folderSQLite)
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, folder, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fault.Errorf(fault.Internal, "read the migrations: %w", err)
	}
	_, err = provider.Up(ctx)
	return err
}

const (
	countTables   = `SELECT count(*), coalesce(sum(name = 'goose_db_version'), 0) FROM sqlite_master WHERE type = 'table'`
	selectVersion = `SELECT coalesce(max(version_id), 0) FROM goose_db_version WHERE is_applied = 1`
)

var errForeign = fault.Errorf(fault.Conflict, "the database belongs to another program").
	WithHint("choose another path for Fairway's database")

// schemaVersion returns 0 for an empty database.
func schemaVersion(ctx context.Context, db *sql.DB) (int64, error) {
	var tables, ours, version int64
	err := db.QueryRowContext(ctx, countTables).Scan(&tables, &ours)
	switch {
	case err != nil || tables == 0:
		return 0, err
	case ours == 0:
		return 0, errForeign
	}
	err = db.QueryRowContext(ctx, selectVersion).Scan(&version)
	return version, err
}

// newestMigration reads the version from the files' names, which begin with it.
func newestMigration(folder string) (int64, error) {
	files, err := migrations.ReadDir(folder)
	if err != nil {
		return 0, err
	}
	var newest int64
	for _, f := range files {
		digits, _, _ := strings.Cut(f.Name(), "_")
		version, err := strconv.ParseInt(digits, 10, 64)
		if err != nil {
			return 0, fault.Errorf(fault.Internal, "migration %s has no version: %w", f.Name(), err)
		}
		newest = max(newest, version)
	}
	return newest, nil
}
