package store

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fairwayhq/fairway/internal/fault"
)

// PostgresConfig says where the database is.
type PostgresConfig struct {
	// URL is postgres://user:password@host:port/database, with the options of libpq and
	// of pgxpool behind a question mark.
	URL string
	Log *slog.Logger
}

const (
	// oldestPostgres is the first version that is tested.
	oldestPostgres = 14
	// connections is how many a server has at most, if the URL does not say pool_max_conns.
	connections = 16
)

// OpenPostgres connects to the database, and creates its tables or brings them up to
// date; several servers may do so at the same time. It returns fault.Invalid for a URL
// that cannot be read, fault.Denied where the database does not let Fairway in,
// fault.Unavailable where it cannot be reached, and fault.Conflict where a newer Fairway
// wrote it, or where it is too old.
func OpenPostgres(ctx context.Context, c PostgresConfig) (*Postgres, error) {
	if c.Log == nil {
		c.Log = slog.Default()
	}
	config, err := poolConfig(c.URL)
	if err != nil {
		return nil, err
	}
	config.AfterConnect = giveSlot
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, postgresFault(err)
	}
	if err := prepare(ctx, pool, config.ConnConfig); err != nil {
		pool.Close()
		return nil, err
	}
	p := &Postgres{pool: pool, plans: newPlanCache(maxSharedPlans), services: newCache[[]string](mostServicesKnown), bell: newBell(pool, c.Log)}
	if err := p.Update(ctx, func(tx *Tx) error { return errors.Join(tx.write(deleteOldMarks), tx.write(raiseNumbering)) }); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

func poolConfig(url string) (*pgxpool.Config, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		// The error may repeat the password.
		return nil, fault.Errorf(fault.Invalid, "the URL of the database cannot be read").
			WithHint("it has the form postgres://user:password@host:5432/fairway")
	}
	if !strings.Contains(url, "pool_max_conns") {
		config.MaxConns = connections
	}
	if config.ConnConfig.ConnectTimeout == 0 {
		config.ConnConfig.ConnectTimeout = 10 * time.Second
	}
	// The database ends what a server that hangs, or is cut off, has begun.
	defaults := map[string]string{
		"application_name":                    "fairway",
		"statement_timeout":                   "30s",
		"idle_in_transaction_session_timeout": "30s",
		"tcp_keepalives_idle":                 "10",
		"tcp_keepalives_interval":             "5",
		"tcp_keepalives_count":                "3",
		"tcp_user_timeout":                    "20s",
	}
	for name, value := range defaults {
		if _, set := config.ConnConfig.RuntimeParams[name]; !set {
			config.ConnConfig.RuntimeParams[name] = value
		}
	}
	return config, nil
}

// prepare checks the database and its tables.
func prepare(ctx context.Context, pool *pgxpool.Pool, config *pgx.ConnConfig) error {
	var version int
	var standby bool
	row := pool.QueryRow(ctx, "SELECT current_setting('server_version_num')::int / 10000, pg_is_in_recovery()")
	switch err := row.Scan(&version, &standby); {
	case err != nil:
		return postgresFault(err)
	case version < oldestPostgres:
		return fault.Errorf(fault.Conflict, "the database is PostgreSQL %d, and Fairway needs %d or later", version, oldestPostgres)
	case standby:
		return fault.Errorf(fault.Unavailable, "the database %s is a standby, which may only be read", config.Host).
			WithHint("let the URL name all hosts and add target_session_attrs=read-write")
	}
	return migratePostgres(ctx, config)
}
