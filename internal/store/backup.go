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
	"syscall"

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
	made, err := createNew(part)
	if err != nil {
		return Inventory{}, err
	}
	defer made.Close()
	if err := copyInto(ctx, database, "", made); err != nil {
		return Inventory{}, err
	}
	found, err := Verify(ctx, part)
	if err != nil {
		return found, err
	}
	return found, os.Rename(part, file)
}

// createNew makes a file, readable by its owner only, and follows no link: in the folder of a
// server root may be the one who does it.
func createNew(path string) (*os.File, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fileFault(err, filepath.Dir(path))
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fileFault(err, filepath.Dir(path))
	}
	return f, nil
}

// copyInto writes one instant of the database, with what is in its write-ahead log, into the
// new file. In the mode "ro" the database stays as it is; in "" its log may be worked in.
func copyInto(ctx context.Context, database, mode string, made *os.File) (err error) {
	db, err := openPlain(database, mode)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if _, err := db.ExecContext(ctx, vacuumInto, made.Name()); err != nil {
		return fault.Errorf(fault.CodeOf(translate(err)), "copy %s: %w", database, translate(err))
	}
	if err := sameFile(made, made.Name()); err != nil {
		return err
	}
	return made.Sync()
}

// sameFile proves that the path still leads to the file, since SQLite knows only the path.
func sameFile(f *os.File, path string) error {
	want, err := f.Stat()
	if err != nil {
		return err
	}
	if got, err := os.Lstat(path); err != nil || !os.SameFile(want, got) {
		return fault.Errorf(fault.Conflict, "somebody has put something else into the place of %s meanwhile", path)
	}
	return nil
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
