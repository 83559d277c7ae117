package store

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/fairwayhq/fairway/internal/fault"
)

// goesOn ends the hints about what a running server gets over.
const goesOn = "; Fairway goes on by itself"

// Ending returns the error as it is for a process that ends with it, and so does not go on
// by itself.
func Ending(err error) error {
	hint, found := strings.CutSuffix(fault.HintOf(err), goesOn)
	if !found {
		return err
	}
	return fault.Errorf(fault.CodeOf(err), "%w", err).WithHint("%s, then start again", hint)
}

// errAgain, joined to a fault, asks for the transaction to be run again.
var errAgain = errors.New("another transaction came first")

// postgresFault turns what PostgreSQL or the way to it says into a fault. Errors that
// are neither's pass unchanged.
func postgresFault(err error) error {
	var known *fault.Error
	var said *pgconn.PgError
	switch {
	case err == nil, errors.As(err, &known):
		return err
	case errors.As(err, &said):
		return saidFault(said)
	case isLost(err):
		return fault.Errorf(fault.Unavailable, "the database cannot be reached: %w", err).
			WithHint("see that PostgreSQL runs and that the URL of --database leads to it" + goesOn)
	case errors.Is(err, context.DeadlineExceeded):
		return fault.Errorf(fault.Unavailable, "the database did not answer in time: %w", err).
			WithHint("look after its load and its locks" + goesOn)
	}
	return err
}

// saidFault goes by the code (SQLSTATE), whose first two digits are its class.
func saidFault(e *pgconn.PgError) error {
	switch e.Code {
	case "23505":
		return fault.Errorf(fault.Conflict, "it exists already: %w", e)
	case "23503":
		return fault.Errorf(fault.NotFound, "what it belongs to does not exist: %w", e)
	case "22021", "22P05":
		return fault.Errorf(fault.Invalid, "a text has characters that a database cannot keep: %w", e).
			WithHint("leave out bytes that are zero or no UTF-8")
	case "25006":
		return fault.Errorf(fault.Unavailable, "the database may only be read: %w", e).
			WithHint("it may be a standby: let the URL name all hosts and add target_session_attrs=read-write" + goesOn)
	case "42501", "3F000":
		return fault.Errorf(fault.Denied, "the database user lacks a right: %w", e).
			WithHint("let the tables' owner run `fairway server migrate`, and grant Fairway's user what docs/operations.md lists; or let it own the tables and its schema")
	case "53100":
		return fault.Errorf(fault.Unavailable, "the disk that holds the database is full: %w", e).
			WithHint("make room on it; nothing is lost" + goesOn)
	case "53300":
		return fault.Errorf(fault.Unavailable, "the database has no connection left: %w", e).
			WithHint("raise its max_connections, or give each server fewer with pool_max_conns in the URL")
	case "3D000":
		return fault.Errorf(fault.NotFound, "the database does not exist: %w", e).WithHint("make it with createdb")
	case "55P03", "57014":
		return fault.Errorf(fault.Unavailable, "the database did not answer in time: %w", e).
			WithHint("look after its load and its locks" + goesOn)
	}
	switch e.Code[:min(2, len(e.Code))] {
	case "08", "57", "58":
		return fault.Errorf(fault.Unavailable, "the database is restarting or in trouble: %w", e).
			WithHint("see that it comes back; nothing that was acknowledged is lost" + goesOn)
	case "28":
		return fault.Errorf(fault.Denied, "the database does not let Fairway in: %w", e).
			WithHint("look at the user and the password in the URL of --database, and at pg_hba.conf")
	case "40":
		return fault.Errorf(fault.Unavailable, "others changed the same things too often: %w", e).WithHint("try again")
	case "53":
		return fault.Errorf(fault.Unavailable, "the database is short of something: %w", e)
	}
	return fault.Errorf(fault.Internal, "database: %w", e)
}

// isConflict tells whether the transaction met another one and may succeed on the next try.
func isConflict(err error) bool {
	var e *pgconn.PgError
	if errors.As(err, &e) && e.Code[:min(2, len(e.Code))] == "40" {
		return true
	}
	return errors.Is(err, errAgain)
}

// isLost tells whether the connection broke, or PostgreSQL ended it.
func isLost(err error) bool {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		switch e.Code {
		case "57P01", "57P02", "57P03", "57P05", "25P03", "25006": // shut down, crashed, starting, a standby by now
			return true
		}
		return e.Code[:min(2, len(e.Code))] == "08"
	}
	var network *net.OpError
	var connect *pgconn.ConnectError
	return errors.As(err, &network) || errors.As(err, &connect) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, net.ErrClosed) || pgconn.SafeToRetry(err) || errors.Is(err, pgx.ErrTxClosed)
}

// isAgain tells whether the transaction was not made for want of a connection.
func isAgain(err error) bool {
	var not errNotMade
	return isLost(err) || errors.As(err, &not)
}

// isBroken tells whether nobody has heard how a statement ended.
func isBroken(err error) bool {
	return err != nil && (isLost(err) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled))
}

// errUnknown is said where nobody can tell how a commit ended. The loss is not in its chain,
// since nobody may try again.
func errUnknown(lost error) error {
	return fault.Errorf(fault.Unavailable, "the connection was lost at the commit, and the database cannot tell how it ended: %v", lost).
		WithHint("look whether the change is there before it is asked for again")
}

// plain takes away what only the next try needed to know.
func plain(err error) error {
	if !errors.Is(err, errAgain) {
		return err
	}
	var told *fault.Error
	if errors.As(err, &told) {
		return told
	}
	return err
}
