package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"github.com/fairwayhq/fairway/internal/fault"
)

const vacuumInto = `VACUUM INTO $1`

// Backup writes a consistent copy of the database into the file, which must not be there
// yet, and verifies it. A server may have the database open, and goes on meanwhile. Where it
// fails no file is left. It returns fault.Conflict for a database that was imported into
// PostgreSQL, since a copy of that saves nothing.
func Backup(ctx context.Context, database, file string) (Inventory, error) {
	if _, err := os.Stat(database); err != nil {
		return Inventory{}, fault.Errorf(fault.NotFound, "there is no database to back up: %w", err).
			WithHint("--data-dir names the server's data folder")
	}
	if err := notMoved(ctx, database); err != nil {
		return Inventory{}, err
	}
	if _, err := os.Lstat(file); !errors.Is(err, fs.ErrNotExist) {
		return Inventory{}, fault.Errorf(fault.Conflict, "%s is there already", file).
			WithHint("name a new file; an older backup is never replaced")
	}
	part := file + ".part"
	defer os.Remove(part)
	if err := copyInto(ctx, database, "", part); err != nil {
		return Inventory{}, err
	}
	found, err := Verify(ctx, part)
	if err != nil {
		return found, err
	}
	return found, os.Rename(part, file)
}

// copyInto writes one instant of the database, with what is in its write-ahead log, into a new
// file. In the mode "ro" the database stays as it is; in "" its log may be worked in.
func copyInto(ctx context.Context, database, mode, part string) (err error) {
	if err := os.Remove(part); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fileFault(err, filepath.Dir(part))
	}
	if err := createFile(part); err != nil { // readable by its owner only
		return err
	}
	db, err := openPlain(database, mode)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if _, err := db.ExecContext(ctx, vacuumInto, part); err != nil {
		return fault.Errorf(fault.CodeOf(translate(err)), "copy %s: %w", database, translate(err))
	}
	return syncFile(part)
}

// openPlain opens a database without changing anything about it.
func openPlain(file, mode string) (*sql.DB, error) {
	query := url.Values{"_pragma": {fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds())}}
	if mode != "" {
		query.Set("mode", mode)
	}
	path, err := filepath.Abs(file)
	if err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: path, RawQuery: query.Encode()}).String())
	if err == nil {
		db.SetMaxOpenConns(1)
	}
	return db, err
}

func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
