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
// begin an empty one. Neither may meet the other's log.
func replaceBy(ctx context.Context, part, path string, now time.Time) (kept string, err error) {
	name, err := unusedName(path + ".before-" + now.UTC().Format("20060102T150405Z"))
	if err != nil {
		return "", err
	}
	emptyLog(ctx, path)
	if kept, err = keepAs(path, name); err != nil {
		return "", err
	}
	for _, suffix := range beside {
		if err := os.Rename(path+suffix, name+suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", fileFault(err, filepath.Dir(path))
		}
	}
	if err := os.Rename(part, path); err != nil {
		return "", fileFault(err, filepath.Dir(path))
	}
	return kept, syncFolder(filepath.Dir(path))
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
// it. What cannot be read stays as it is, and is kept in several files.
func emptyLog(ctx context.Context, path string) {
	if info, err := os.Stat(path + "-wal"); err != nil || info.Size() == 0 {
		return
	}
	if _, err := moveOf(ctx, path); err != nil {
		return
	}
	db, err := openPlain(path, "rw")
	if err != nil {
		return
	}
	_, _ = db.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)")
	_ = db.Close() // removes the log
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
