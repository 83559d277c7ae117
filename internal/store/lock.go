package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/fairwayhq/fairway/internal/fault"
)

// lock keeps a second process away from the database. The system drops it with
// the process that holds it, however that ends.
type lock struct{ file *os.File }

func acquireLock(path string) (*lock, error) {
	// Root writes into it, too, in a folder where the server's user may lay links.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fileFault(err, filepath.Dir(path))
	}
	if err := likeFolder(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		holder := readHolder(f)
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fault.Errorf(fault.Conflict, "another Fairway server%s has the database %s open",
				holder, strings.TrimSuffix(path, ".lock")).
				WithHint("stop the other server, or give this one a database of its own")
		}
		return nil, fault.Errorf(fault.Unavailable, "lock %s: %w", path, err)
	}
	// The number is for people only, so a full disk may leave it out.
	if f.Truncate(0) == nil {
		_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	return &lock{file: f}, nil
}

// release leaves the file there: removing it would let two processes lock two files of one name.
func (l *lock) release() error { return l.file.Close() }

func readHolder(f *os.File) string {
	b := make([]byte, 20)
	n, _ := f.ReadAt(b, 0)
	pid, err := strconv.Atoi(strings.TrimSpace(string(b[:n])))
	if err != nil {
		return ""
	}
	return " (process " + strconv.Itoa(pid) + ")"
}

// prepareFile makes the folder and returns the absolute path of the database.
func prepareFile(path string) (string, error) {
	if path == "" {
		return "", fault.Errorf(fault.Invalid, "the database has no path")
	}
	file, err := filepath.Abs(path)
	if err != nil {
		return "", fault.Errorf(fault.Invalid, "find the database %s: %w", path, err)
	}
	if info, err := os.Stat(file); err == nil && info.IsDir() {
		return "", fault.Errorf(fault.Invalid, "the database %s is a folder", file).
			WithHint("name a file in it, for instance %s", filepath.Join(file, "fairway.db"))
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return "", fileFault(err, filepath.Dir(file))
	}
	return file, nil
}

// createFile makes the file before SQLite does, which would let everybody read it.
func createFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fileFault(err, filepath.Dir(path))
	}
	return f.Close()
}

func fileFault(err error, folder string) error {
	switch {
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return fault.Errorf(fault.Denied, "the database's folder %s may not be written: %w", folder, err).
			WithHint("make the folder writable for the user that runs Fairway, or choose another path")
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return diskFull(err)
	case errors.Is(err, syscall.ELOOP):
		return fault.Errorf(fault.Denied, "a file beside the database is a symbolic link, which is not followed: %w", err).
			WithHint("remove the link, after a look at who has laid it")
	}
	return fault.Errorf(fault.Unavailable, "open the database's folder %s: %w", folder, err)
}
