package store

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
)

// Restore puts a copy of a backup, which it verifies, into the place of the database, which no
// server may have open. The backup may be any database of Fairway: what is in a write-ahead
// log beside it is restored too, and it stays. With replace a database that is there is kept
// beside it, under a name that it returns; else it is a fault.Conflict, as is one that was
// imported into PostgreSQL.
func Restore(ctx context.Context, file, database string, replace bool, now time.Time) (found Inventory, kept string, err error) {
	path, err := prepareFile(database)
	if err != nil {
		return found, "", err
	}
	lock, err := acquireLock(path + ".lock")
	if err != nil {
		return found, "", err
	}
	defer func() { err = errors.Join(err, lock.release()) }()
	if err := mayReplace(ctx, path, replace); err != nil {
		return found, "", err
	}
	part := path + ".part"
	defer os.Remove(part)
	if found, err = copyWhole(ctx, file, part); err != nil {
		return found, "", err
	}
	kept, err = replaceBy(ctx, part, path, now)
	return found, kept, err
}

// copyWhole copies a backup that is whole, and returns what the copy was found to have. The
// backup stays as it is: one with a log is first copied as it lies there.
func copyWhole(ctx context.Context, file, part string) (found Inventory, err error) {
	from := part + ".from"
	removeAll(from) // what a killed restore has left
	defer removeAll(from)
	logged, err := hasLog(file)
	if err != nil {
		return found, err
	}
	if !logged {
		return vacuumWhole(ctx, file, file, part)
	}
	copied, err := copyFiles(ctx, file, from)
	if err != nil {
		return found, err
	}
	defer copied.Close()
	if found, err = vacuumWhole(ctx, from, file, part); err != nil {
		return found, err
	}
	return found, sameFile(copied, from)
}

// vacuumWhole makes one file of a database, which people know by the name.
func vacuumWhole(ctx context.Context, file, name, part string) (found Inventory, err error) {
	if found, err = verify(ctx, file, name); err != nil {
		return found, err
	}
	made, err := createNew(part)
	if err != nil {
		return found, err
	}
	defer made.Close()
	if err := likeFolder(made); err != nil {
		return found, err
	}
	if err := copyInto(ctx, file, "ro", made); err != nil {
		return found, err
	}
	return Verify(ctx, part)
}

// mayReplace tells whether a backup may be put into the path. A database there that is damaged
// is no reason against it.
func mayReplace(ctx context.Context, path string, replace bool) error {
	if _, err := os.Stat(path); err != nil {
		return nil
	}
	if !replace {
		return fault.Errorf(fault.Conflict, "there is a database already: %s", path).
			WithHint("--replace puts the backup into its place, and keeps it beside")
	}
	if m, err := moveOf(ctx, path); err == nil && m != nil {
		return notMoved(ctx, path)
	}
	return nil
}
