package process

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// ReadRecord reads a file that WriteRecord wrote; one that is not there is not an error.
func ReadRecord[T any](path string) (value T, found bool, err error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return value, false, nil
	}
	if err != nil {
		return value, false, err
	}
	if err := json.Unmarshal(raw, &value); err != nil {
		return value, false, &BrokenError{Path: path, Err: err}
	}
	return value, true, nil
}

// BrokenError says that a record is there and cannot be read.
type BrokenError struct {
	Path string
	Err  error
}

func (e *BrokenError) Error() string { return fmt.Sprintf("read %s: %s", e.Path, e.Err) }

// Unwrap returns what the decoder said.
func (e *BrokenError) Unwrap() error { return e.Err }

// WriteRecord replaces the file by the value's JSON, as a whole.
func WriteRecord(path string, value any) error {
	raw, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("encode %s: %w", path, err)
	}
	return ReplaceFile(path, raw)
}

// ReplaceFile replaces the file as a whole: whoever reads it sees the old or the
// new one, also after a power cut. Only its owner may read it.
func ReplaceFile(path string, content []byte) error {
	dir := filepath.Dir(path)
	temp, err := os.CreateTemp(dir, ".new-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(temp.Name()) }()
	if _, err := temp.Write(content); err != nil {
		_ = temp.Close()
		return err
	}
	if err := temp.Sync(); err != nil {
		_ = temp.Close()
		return err
	}
	if err := temp.Close(); err != nil {
		return err
	}
	if err := os.Rename(temp.Name(), path); err != nil {
		return err
	}
	return SyncDir(dir)
}

// SyncDir makes what was created, renamed or removed in the folder last.
func SyncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	return f.Sync()
}
