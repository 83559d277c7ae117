package store

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	gooselock "github.com/pressly/goose/v3/lock"

	"github.com/fairwayhq/fairway/internal/fault"
)

// migratePostgres brings the tables up to date. Servers that start together wait for
// each other.
func migratePostgres(ctx context.Context, config *pgx.ConnConfig) (err error) {
	patient := config.Copy()
	patient.RuntimeParams["statement_timeout"] = "0" // a migration may take its time
	db := stdlib.OpenDB(*patient)
	defer func() { err = errors.Join(err, db.Close()) }()

	have, err := postgresVersion(ctx, db)
	if err != nil {
		return postgresFault(err)
	}
	want, err := newestMigration(folderPostgres)
	switch {
	case err != nil:
		return err
	case have == want:
		return nil
	case have > want:
		return newerSchema("of "+config.Host, have, want)
	}
	locker, err := gooselock.NewPostgresSessionLocker()
	if err != nil {
		return fault.Errorf(fault.Internal, "lock the migrations: %w", err)
	}
	folder, err := fs.Sub(migrations, folderPostgres)
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, db, folder,
		goose.WithDisableGlobalRegistry(true), goose.WithSessionLocker(locker))
	if err != nil {
		return fault.Errorf(fault.Internal, "read the migrations: %w", err)
	}
	_, err = provider.Up(ctx)
	return postgresFault(err)
}

const countPostgresTables = `SELECT count(*), count(*) FILTER (WHERE tablename = 'goose_db_version')
	FROM pg_tables WHERE schemaname = current_schema()`

// postgresVersion returns 0 for an empty schema.
func postgresVersion(ctx context.Context, db *sql.DB) (version int64, err error) {
	var tables, ours int64
	err = db.QueryRowContext(ctx, countPostgresTables).Scan(&tables, &ours)
	switch {
	case err != nil || tables == 0:
		return 0, err
	case ours == 0:
		return 0, errForeign
	}
	err = db.QueryRowContext(ctx, `SELECT coalesce(max(version_id), 0) FROM goose_db_version WHERE is_applied`).Scan(&version)
	return version, err
}
