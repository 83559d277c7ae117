// Package fault is the one vocabulary of errors in Fairway: six codes, a
// message for a person, and a hint that says what to do next.
//
// Every room may import it; it imports nothing of the project. A code decides
// the HTTP status and the exit code of the command line, each in one map at
// that edge. The text of an Internal error never reaches a user.
//
//	return fault.Errorf(fault.NotFound, "release %s does not exist", id).
//		WithHint("list the releases with `fairway status`")
package fault

import (
	"context"
	"errors"
	"fmt"
)

// Code says what sort of fault happened, and so who can mend it.
type Code string

// The six codes.
const (
	// Invalid: what was asked makes no sense; asking again changes nothing.
	Invalid Code = "invalid"
	// NotFound: the thing named does not exist.
	NotFound Code = "not found"
	// Conflict: the thing exists, but its state forbids what was asked.
	Conflict Code = "conflict"
	// Denied: the identity lacks the right.
	Denied Code = "denied"
	// Unavailable: the world hiccuped; the same call may succeed later.
	Unavailable Code = "unavailable"
	// Internal: Fairway itself is wrong.
	Internal Code = "internal"
)

// Error is a fault with its code. Message is for people; Hint says what to do
// next and may be empty; Err is the cause and may be nil.
type Error struct {
	Code    Code
	Message string
	Hint    string
	Err     error
}

// Errorf makes an Error. A %w verb keeps the cause reachable by errors.Is.
func Errorf(code Code, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Code: code, Message: err.Error(), Err: errors.Unwrap(err)}
}

// WithHint returns a copy of e that says what to do next.
func (e *Error) WithHint(format string, args ...any) *Error {
	c := *e
	c.Hint = fmt.Sprintf(format, args...)
	return &c
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

// Unwrap returns the cause, or nil.
func (e *Error) Unwrap() error { return e.Err }

// CodeOf returns the code of the outermost Error in err's chain. A nil error
// has the empty code; a cancelled or timed-out context is Unavailable; an
// error of any other kind is Internal.
func CodeOf(err error) Code {
	var e *Error
	switch {
	case err == nil:
		return ""
	case errors.As(err, &e):
		return e.Code
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return Unavailable
	default:
		return Internal
	}
}

// MessageOf returns what a person may read: the message of the whole chain, or
// a fixed sentence where the fault is Internal.
func MessageOf(err error) string {
	switch CodeOf(err) {
	case "":
		return ""
	case Internal:
		return "Fairway hit an internal error; the server's log has the details"
	default:
		return err.Error()
	}
}

// HintOf returns the hint of the outermost Error in err's chain that has one.
func HintOf(err error) string {
	for err != nil {
		var e *Error
		if !errors.As(err, &e) {
			return ""
		}
		if e.Hint != "" {
			return e.Hint
		}
		err = e.Err
	}
	return ""
}

// MessageWithHint returns what MessageOf does and, where there is one, the hint after a
// semicolon: for a text that is kept as one sentence and read later by whoever must act.
// An Internal fault has no hint for them.
func MessageWithHint(err error) string {
	hint := HintOf(err)
	if hint == "" || CodeOf(err) == Internal {
		return MessageOf(err)
	}
	return MessageOf(err) + "; " + hint
}
