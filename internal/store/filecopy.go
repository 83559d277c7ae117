package store

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/fairwayhq/fairway/internal/fault"
)

// hasLog tells by its header whether a database is one that SQLite opens only together with a
// log, and with a file of its own beside it: not where the folder may only be read.
func hasLog(file string) (bool, error) {
	f, err := os.Open(file)
	if err != nil {
		return false, backupFault(err)
	}
	defer f.Close()
	header := make([]byte, 20) // ends with the versions that writers and readers need, 2 with a log
	switch _, err := io.ReadFull(f, header); {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF): // which SQLite says better
		return false, nil
	case err != nil:
		return false, backupFault(err)
	}
	return header[18] == 2 || header[19] == 2, nil
}

func backupFault(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fault.Errorf(fault.NotFound, "there is no database: %w", err)
	case errors.Is(err, fs.ErrPermission):
		return fault.Errorf(fault.Denied, "the backup may not be read: %w", err).
			WithHint("let the user that runs the command read it, and the log beside it")
	}
	return fault.Errorf(fault.Unavailable, "the backup could not be read: %w", err).
		WithHint("look after the disk that holds it")
}

// copyFiles copies a database and its log as files, so that nothing is made beside it. The
// copy is readable by the owner of its folder only. It returns fault.Conflict where somebody
// has written meanwhile, since the two files are then of two instants.
func copyFiles(ctx context.Context, file, to string) (made *os.File, err error) {
	if file, err = filepath.EvalSymlinks(file); err != nil { // as SQLite finds the log
		return nil, backupFault(err)
	}
	before := stampsOf(file)
	if made, err = copyFile(ctx, file, to); err != nil {
		return nil, err
	}
	log, err := copyFile(ctx, file+"-wal", to+"-wal")
	switch {
	case err == nil:
		err = log.Close()
	case errors.Is(err, fs.ErrNotExist):
		err = nil
	}
	if err == nil && stampsOf(file) != before {
		err = fault.Errorf(fault.Conflict, "somebody has written into %s while it was copied", file).
			WithHint("make a backup of a running server by `fairway server backup`, and restore that")
	}
	if err != nil {
		return nil, errors.Join(err, made.Close())
	}
	return made, nil
}

func copyFile(ctx context.Context, file, to string) (made *os.File, err error) {
	from, err := os.Open(file)
	if err != nil {
		return nil, backupFault(err)
	}
	defer from.Close()
	if made, err = createNew(to); err != nil {
		return nil, err
	}
	if err = likeFolder(made); err == nil {
		err = copyBytes(ctx, from, made)
	}
	if err != nil {
		return nil, errors.Join(err, made.Close())
	}
	return made, nil
}

func copyBytes(ctx context.Context, from, to *os.File) error {
	writer := struct{ io.Writer }{to} // without the system's own copying, of which nobody knows which file failed
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		var at *fs.PathError
		switch _, err := io.CopyN(writer, from, 64<<20); {
		case errors.Is(err, io.EOF):
			return nil
		case errors.As(err, &at) && at.Op == "read":
			return backupFault(err)
		case err != nil:
			return fileFault(err, filepath.Dir(to.Name()))
		}
	}
}

// stamps are the sizes and times of a database and its log.
type stamps [2]struct{ size, changed int64 }

func stampsOf(file string) (s stamps) {
	for i, suffix := range []string{"", "-wal"} {
		if info, err := os.Stat(file + suffix); err == nil {
			s[i].size, s[i].changed = info.Size(), info.ModTime().UnixNano()
		}
	}
	return s
}

// removeAll removes a database that nobody needs any more, with what is beside it.
func removeAll(path string) {
	for _, suffix := range append([]string{""}, beside...) {
		_ = os.Remove(path + suffix)
	}
}
