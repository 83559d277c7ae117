package store

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
)

// beside are the files that SQLite has beside a database that was not closed, by their suffixes.
var beside = []string{"-wal", "-shm", "-journal"}

// replaceBy gives the new database the place of the old one, which it keeps under another
// name. A kill at any time leaves one of the two there, since a server that found none would
// begin an empty one. Neither may meet the other's log. Where it fails all is as it was.
func replaceBy(ctx context.Context, part, path string, now time.Time) (kept string, err error) {
	name, err := unusedName(path + ".before-" + now.UTC().Format("20060102T150405Z"))
	if err != nil {
		return "", err
	}
	if err := emptyLog(ctx, path); err != nil {
		return "", err
	}
	if kept, err = keepAs(path, name); err != nil {
		return "", err
	}
	if err = moveBeside(path, name); err == nil {
		err = os.Rename(part, path)
	}
	if err != nil {
		return "", errors.Join(fileFault(err, filepath.Dir(path)), putBack(path, name))
	}
	return kept, syncFolder(filepath.Dir(path))
}

// moveBeside moves what is beside a database. Its log has something only where the database is
// damaged, or gone.
func moveBeside(path, name string) error {
	for _, suffix := range beside {
		if err := os.Rename(path+suffix, name+suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// putBack brings the old database together again, whose new name nothing else has had.
func putBack(path, name string) error {
	back := moveBeside(name, path)
	err := os.Rename(name, path) // keeps both names where they are one file
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		err = os.Remove(name)
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return errors.Join(back, err)
}

// unusedName is the name, with a number where there is something of it already.
func unusedName(name string) (string, error) {
	for try, n := name, 2; ; try, n = name+"-"+strconv.Itoa(n), n+1 {
		switch used, err := isUsed(try); {
		case err != nil:
			return "", fileFault(err, filepath.Dir(name))
		case !used:
			return try, nil
		}
	}
}

func isUsed(name string) (bool, error) {
	for _, suffix := range append([]string{""}, beside...) {
		if _, err := os.Lstat(name + suffix); !errors.Is(err, fs.ErrNotExist) {
			return err == nil, err
		}
	}
	return false, nil
}

// emptyLog brings what is in the write-ahead log into the database, so that one file is all of
// it. A database that is damaged, as far as SQLite can tell here, is kept in several files, and so
// is a log without one; but a database that is whole is never parted from what it has in its log.
func emptyLog(ctx context.Context, path string) error {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) || !logHasSome(path) {
		return nil
	}
	_, err := moveOf(ctx, path)
	if err == nil {
		err = openFault(checkpoint(ctx, path), path)
	}
	if damaged := fault.CodeOf(err) == fault.Conflict; damaged || !logHasSome(path) {
		return nil
	}
	if err == nil {
		err = errors.New("it is in use")
	}
	return fault.Errorf(fault.Unavailable, "what is in %s-wal could not be brought into the database that is there, and nothing was changed: %w", path, err).
		WithHint("make room on the disk, or close the program that has the database open, then restore again")
}

func logHasSome(path string) bool {
	info, err := os.Stat(path + "-wal")
	return err == nil && info.Size() > 0
}

func checkpoint(ctx context.Context, path string) (err error) {
	db, err := openPlain(path, "rw")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }() // removes the log
	_, err = db.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)")
	return err
}

// keepAs gives the database a second name, or, on a file system that has no such thing, another
// one. It returns nothing where there is no database.
func keepAs(path, name string) (kept string, err error) {
	switch err = os.Link(path, name); {
	case err == nil:
		return name, nil
	case errors.Is(err, fs.ErrNotExist):
		return "", nil
	case errors.Is(err, fs.ErrExist):
		return "", fault.Errorf(fault.Conflict, "somebody has just made %s", name).WithHint("restore again")
	}
	if err = os.Rename(path, name); err != nil {
		return "", fileFault(err, filepath.Dir(path))
	}
	return name, nil
}

func syncFolder(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
