package store

import (
	"errors"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/fairwayhq/fairway/internal/fault"
)

// translate turns what SQLite says into a fault. Errors that are none of SQLite's
// pass unchanged.
func translate(err error) error {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Code() {
	case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY:
		return fault.Errorf(fault.Conflict, "it exists already: %w", err)
	case sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
		return fault.Errorf(fault.NotFound, "what it belongs to does not exist: %w", err)
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_FULL:
		return diskFull(err)
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return fault.Errorf(fault.Unavailable, "another program has locked the database: %w", err).
			WithHint("close the program that has the database file open")
	case sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_NOMEM:
		return fault.Errorf(fault.Unavailable, "the database could not be read or written: %w", err).
			WithHint("look after the disk that holds the database; nothing that was acknowledged is lost")
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return fault.Errorf(fault.Internal, "the database is damaged: %w", err).
			WithHint("stop the server and restore the database from a backup")
	}
	return fault.Errorf(fault.Internal, "database: %w", err)
}

func diskFull(err error) error {
	return fault.Errorf(fault.Unavailable, "the disk that holds the database is full: %w", err).
		WithHint("make room on it; nothing is lost" + goesOn)
}

// openFault says more about what a person can do while the server cannot even
// start: a damaged file is then not an inner fault but one to show.
func openFault(err error, file string) error {
	var e *sqlite.Error
	if errors.As(err, &e) {
		switch e.Code() & 0xff {
		case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
			return fault.Errorf(fault.Conflict, "the file %s is damaged, or is no database of Fairway: %w", file, err).
				WithHint("restore it from a backup, or move it away to start with an empty one")
		case sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY:
			return fault.Errorf(fault.Denied, "the database %s may not be written: %w", file, err).
				WithHint("make the file and its folder writable for the user that runs Fairway")
		}
	}
	return translate(err)
}

// severe tells whether the error is trouble of the store itself, not an answer
// about what is in it.
func severe(err error) bool {
	switch fault.CodeOf(err) {
	case fault.Unavailable, fault.Internal:
		return true
	}
	return false
}
