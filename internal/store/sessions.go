package store

import (
	"context"

	"github.com/fairwayhq/fairway/internal/auth"
	"github.com/fairwayhq/fairway/internal/fault"
)

const (
	insertSession         = `INSERT INTO sessions (hash, user_name, csrf, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)`
	deleteExpiredSessions = `DELETE FROM sessions WHERE expires_at <= $1`
)

// AddSession stores the session, and forgets those that expired before it was created.
func (s *SQLite) AddSession(ctx context.Context, session auth.Session) error {
	return s.Update(ctx, func(tx *Tx) error {
		if _, err := tx.exec(deleteExpiredSessions, nanos(session.CreatedAt)); err != nil {
			return err
		}
		_, err := tx.exec(insertSession, session.Hash, session.User, session.CSRF,
			nanos(session.CreatedAt), nanos(session.ExpiresAt))
		if fault.CodeOf(err) == fault.NotFound {
			return noUser(session.User)
		}
		return err
	})
}

const selectSession = `SELECT hash, user_name, csrf, created_at, expires_at FROM sessions WHERE hash = $1`

// LoadSession returns the session, perhaps an expired one, or fault.NotFound.
func (s *SQLite) LoadSession(ctx context.Context, hash string) (session auth.Session, err error) {
	err = s.View(ctx, func(tx *Tx) error {
		found, err := tx.row([]any{&session.Hash, &session.User, &session.CSRF,
			timeInto{&session.CreatedAt}, timeInto{&session.ExpiresAt}}, selectSession, hash)
		if err == nil && !found {
			return fault.Errorf(fault.NotFound, "the session does not exist")
		}
		return err
	})
	return session, err
}

const deleteSession = `DELETE FROM sessions WHERE hash = $1`

// EndSession removes the session if it is there.
func (s *SQLite) EndSession(ctx context.Context, hash string) error {
	return s.Update(ctx, func(tx *Tx) error {
		_, err := tx.exec(deleteSession, hash)
		return err
	})
}
