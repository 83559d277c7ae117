package auth

import (
	"context"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/fairwayhq/fairway/internal/fault"
)

// LoggedIn is a new session. Secret goes into the cookie and is not kept.
type LoggedIn struct {
	Secret  string
	Session Session
}

// Login starts a session for who knows the password. A wrong name and a wrong
// password are told apart neither by the answer nor by its time. After too many
// failures the name has to wait (fault.Unavailable).
func (s *Service) Login(ctx context.Context, name, password string) (LoggedIn, error) {
	if wait := s.attempts.begin(name, s.Now()); wait > 0 {
		return LoggedIn{}, fault.Errorf(fault.Unavailable, "too many failed logins of %q", name).
			WithHint("try again in %s, or log in with a token", (wait + time.Second - 1).Truncate(time.Second))
	}
	var u User
	err := s.Store.View(ctx, func(tx Tx) (err error) {
		u, err = tx.LoadUser(name)
		return err
	})
	if err != nil && fault.CodeOf(err) != fault.NotFound {
		return LoggedIn{}, err
	}
	right, err := s.passwordIs(ctx, u.Password, password)
	if err != nil {
		return LoggedIn{}, err
	}
	if !right {
		return LoggedIn{}, wrongPassword()
	}
	s.attempts.succeeded(name)
	return s.startSession(ctx, func(tx Tx) (Session, error) {
		now, err := tx.LoadUser(u.Name)
		if err == nil && now.Password != u.Password { // changed while it was compared
			err = wrongPassword()
		}
		return Session{User: u.Name}, err
	})
}

func wrongPassword() error {
	return noIdentity("the name or the password is wrong", "check both, or log in with a token")
}

// LoginWithToken starts a session for the user of a token, for a first login
// before there are passwords. It ends with the token at the latest. A worker's
// token gives none.
func (s *Service) LoginWithToken(ctx context.Context, bearer string) (LoggedIn, error) {
	return s.startSession(ctx, func(tx Tx) (Session, error) {
		who, err := s.identify(tx, bearer)
		if err != nil {
			return Session{}, err
		}
		if who.Worker {
			return Session{}, noIdentity("a worker's token is not for logging in", "use a token of your own")
		}
		return Session{User: who.User, Token: who.Token.ID, ExpiresAt: who.Token.ExpiresAt}, nil
	})
}

// Resume returns whose session it is by the secret in the cookie. An unknown or
// expired one is fault.Denied with ErrNoIdentity.
func (s *Service) Resume(ctx context.Context, secret string) (Identity, Session, error) {
	var session Session
	var u User
	hash := hashOf(secret)
	err := s.Store.View(ctx, func(tx Tx) (err error) {
		if session, err = tx.LoadSession(hash); err == nil {
			u, err = tx.LoadUser(session.User)
		}
		return err
	})
	if fault.CodeOf(err) == fault.NotFound || err == nil && !same(session.Hash, hash) {
		return Identity{}, Session{}, noIdentity("you are not logged in", "log in")
	}
	if err != nil {
		return Identity{}, Session{}, err
	}
	if !s.Now().Before(session.ExpiresAt) {
		return Identity{}, Session{}, noIdentity("your session has expired", "log in again")
	}
	return Identity{User: u.Name, Roles: u.Roles, Session: session.Hash}, session, nil
}

// CheckCSRF tells whether a request that changes something comes from a page of
// ours, which alone knows the session's CSRF token.
func (s *Service) CheckCSRF(session Session, token string) error {
	if session.CSRF == "" || !same(session.CSRF, token) {
		return fault.Errorf(fault.Denied, "the request did not come from a page of Fairway").
			WithHint("reload the page and try again")
	}
	return nil
}

// Logout ends the session, if it is still there.
func (s *Service) Logout(ctx context.Context, secret string) error {
	return s.Store.Update(ctx, func(tx Tx) error { return tx.EndSession(hashOf(secret)) })
}

// startSession stores the session that whose begins, unless it refuses: in one
// transaction, so that none outlives a password or token that is changed meanwhile.
func (s *Service) startSession(ctx context.Context, whose func(Tx) (Session, error)) (LoggedIn, error) {
	secret, csrf, now := randomText(secretBytes), randomText(secretBytes), s.Now()
	var session Session
	err := s.Store.Update(ctx, func(tx Tx) (err error) {
		if session, err = whose(tx); err != nil {
			return err
		}
		session.Hash, session.CSRF, session.CreatedAt = hashOf(secret), csrf, now
		if end := now.Add(s.SessionTime); session.ExpiresAt.IsZero() || end.Before(session.ExpiresAt) {
			session.ExpiresAt = end
		}
		return tx.AddSession(session)
	})
	if err != nil {
		return LoggedIn{}, err
	}
	return LoggedIn{Secret: secret, Session: session}, nil
}

// endSessions ends those of the user's sessions that are meant.
func endSessions(tx Tx, user string, meant func(Session) bool) error {
	sessions, err := tx.ListSessions(user)
	if err != nil {
		return err
	}
	for _, session := range sessions {
		if !meant(session) {
			continue
		}
		if err := tx.EndSession(session.Hash); err != nil {
			return err
		}
	}
	return nil
}

// noPassword is compared where there is no user or no password, so that the
// answer takes as long. It is the hash of a random text that was thrown away.
const noPassword = "$2a$10$MFP2tVmjWS8AU/JVosU/6OjNSX1nhIbBqi9xSlKLi2.5UQyMjXH4m"

func (s *Service) passwordIs(ctx context.Context, hash, password string) (bool, error) {
	select {
	case s.hashing <- struct{}{}:
		defer func() { <-s.hashing }()
	case <-ctx.Done():
		return false, fault.Errorf(fault.Unavailable, "log in: %w", ctx.Err())
	}
	if hash == "" {
		_ = bcrypt.CompareHashAndPassword([]byte(noPassword), []byte(password))
		return false, nil
	}
	right := bcrypt.CompareHashAndPassword([]byte(hash), []byte(password)) == nil
	return right && len(password) <= maxPassword, nil
}

const (
	minPassword = 10
	maxPassword = 72 // bcrypt reads no more bytes
)

func (s *Service) hashPassword(password string) (string, error) {
	if len(password) < minPassword || len(password) > maxPassword {
		return "", fault.Errorf(fault.Invalid, "a password has %d to %d bytes", minPassword, maxPassword).
			WithHint("choose a phrase of several words")
	}
	hash, err := bcrypt.GenerateFromPassword([]byte(password), s.PasswordCost)
	if err != nil {
		return "", fault.Errorf(fault.Internal, "hash a password: %w", err)
	}
	return string(hash), nil
}
