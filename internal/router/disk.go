package router

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/fairwayhq/fairway/internal/fault"
)

// disk keeps the table: table.json, and table.last.json, the one before it.
type disk struct{ dir string }

func (d disk) path() string   { return filepath.Join(d.dir, "table.json") }
func (d disk) backup() string { return filepath.Join(d.dir, "table.last.json") }

// HasTable tells whether the state directory has a table, so that a router which starts there
// may have something to serve.
func HasTable(stateDir string) bool {
	d := disk{stateDir}
	return exists(d.path()) || exists(d.backup())
}

// exists is true in doubt.
func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// load reads the table. Where table.json is damaged it returns the last good
// copy and a warning that says so; a state directory without both is a new one.
func (d disk) load() (table Table, warning string, err error) {
	table, err = readTable(d.path())
	if err == nil {
		return table, "", nil
	}
	last, lastErr := readTable(d.backup())
	switch {
	case lastErr == nil:
		return last, fmt.Sprintf("%v; serving the last good copy %s", err, d.backup()), nil
	case errors.Is(err, fs.ErrNotExist) && errors.Is(lastErr, fs.ErrNotExist):
		return Table{Version: TableVersion, Routes: map[string]Route{}}, "", nil
	default:
		return Table{}, "", fault.Errorf(fault.Invalid, "read the router's table: %w", errors.Join(err, lastErr)).
			WithHint("mend %s, or move it away to start with an empty table", d.path())
	}
}

func readTable(path string) (Table, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return Table{}, err
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	var t Table
	if err := dec.Decode(&t); err != nil {
		return Table{}, fmt.Errorf("%s is damaged: %w", path, err)
	}
	if dec.More() {
		return Table{}, fmt.Errorf("%s is damaged: more follows the table", path)
	}
	if err := t.Validate(); err != nil {
		return Table{}, fmt.Errorf("%s is damaged: %w", path, err)
	}
	return t.clone(), nil
}

// save writes the table so that a crash at any point leaves either the old or
// the new one, and keeps the one before as the last good copy.
func (d disk) save(t Table) error {
	raw, err := json.MarshalIndent(t, "", "  ")
	if err != nil {
		return fmt.Errorf("save table: %w", err)
	}
	if _, err := readTable(d.path()); err == nil {
		if err := d.keepCopy(); err != nil {
			return fault.Errorf(fault.Unavailable, "save table: %w", err)
		}
	}
	if err := writeFile(d.path(), append(raw, '\n')); err != nil {
		return fault.Errorf(fault.Unavailable, "save table: %w", err).
			WithHint("the router goes on with the table it has; see whether the disk of %s is full", d.dir)
	}
	return nil
}

// keepCopy makes the present table the last good copy, by link and rename so
// that there is no instant without one.
func (d disk) keepCopy() error {
	tmp := d.backup() + ".tmp"
	if err := os.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Link(d.path(), tmp); err != nil {
		return err
	}
	return os.Rename(tmp, d.backup())
}

// writeFile replaces a file atomically and durably.
func writeFile(path string, content []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".tmp*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	if _, err = f.Write(content); err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
