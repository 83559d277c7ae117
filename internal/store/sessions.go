package store

import (
	"github.com/fairwayhq/fairway/internal/auth"
	"github.com/fairwayhq/fairway/internal/fault"
)

const sessionColumns = `hash, user_name, token, csrf, created_at, expires_at`

const (
	insertSession         = `INSERT INTO sessions (` + sessionColumns + `) VALUES ($1, $2, $3, $4, $5, $6)`
	deleteExpiredSessions = `DELETE FROM sessions WHERE expires_at <= $1`
)

// AddSession stores the session, and forgets those that expired before it was created.
func (tx *Tx) AddSession(s auth.Session) error {
	if _, err := tx.exec(deleteExpiredSessions, nanos(s.CreatedAt)); err != nil {
		return err
	}
	_, err := tx.exec(insertSession, s.Hash, s.User, s.Token, s.CSRF, nanos(s.CreatedAt), nanos(s.ExpiresAt))
	if fault.CodeOf(err) == fault.NotFound {
		return noUser(s.User)
	}
	return err
}

func sessionInto(s *auth.Session) []any {
	return []any{&s.Hash, &s.User, &s.Token, &s.CSRF, timeInto{&s.CreatedAt}, timeInto{&s.ExpiresAt}}
}

const selectSession = `SELECT ` + sessionColumns + ` FROM sessions WHERE hash = $1`

// LoadSession returns the session, perhaps an expired one, or fault.NotFound.
func (tx *Tx) LoadSession(hash string) (s auth.Session, err error) {
	found, err := tx.row(sessionInto(&s), selectSession, hash)
	if err == nil && !found {
		return s, fault.Errorf(fault.NotFound, "the session does not exist")
	}
	return s, err
}

const (
	selectSessions       = `SELECT ` + sessionColumns + ` FROM sessions ORDER BY created_at, hash`
	selectSessionsOfUser = `SELECT ` + sessionColumns + ` FROM sessions WHERE user_name = $1 ORDER BY created_at, hash`
)

// ListSessions returns the sessions of the user (of all users where it is empty),
// oldest first, perhaps with expired ones.
func (tx *Tx) ListSessions(user string) (all []auth.Session, err error) {
	query, args := selectSessions, []any{}
	if user != "" {
		query, args = selectSessionsOfUser, []any{user}
	}
	err = tx.rows(func(r rows) error {
		var s auth.Session
		err := r.Scan(sessionInto(&s)...)
		all = append(all, s)
		return err
	}, query, args...)
	return all, err
}

const deleteSession = `DELETE FROM sessions WHERE hash = $1`

// EndSession removes the session if it is there.
func (tx *Tx) EndSession(hash string) error {
	_, err := tx.exec(deleteSession, hash)
	return err
}
