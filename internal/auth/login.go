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
	u, err := s.Store.LoadUser(ctx, name)
	if err != nil && fault.CodeOf(err) != fault.NotFound {
		return LoggedIn{}, err
	}
	right, err := s.passwordIs(ctx, u.Password, password)
	if err != nil {
		return LoggedIn{}, err
	}
	if !right {
		return LoggedIn{}, noIdentity("the name or the password is wrong", "check both, or log in with a token")
	}
	s.attempts.succeeded(name)
	return s.startSession(ctx, u.Name)
}

// LoginWithToken starts a session for the user of a token, for a first login
// before there are passwords. A worker's token gives none.
func (s *Service) LoginWithToken(ctx context.Context, bearer string) (LoggedIn, error) {
	who, err := s.Authenticate(ctx, bearer)
	if err != nil {
		return LoggedIn{}, err
	}
	if who.Worker {
		return LoggedIn{}, noIdentity("a worker's token is not for logging in", "use a token of your own")
	}
	return s.startSession(ctx, who.User)
}

// Resume returns whose session it is by the secret in the cookie. An unknown or
// expired one is fault.Denied with ErrNoIdentity.
func (s *Service) Resume(ctx context.Context, secret string) (Identity, Session, error) {
	hash := hashOf(secret)
	session, err := s.Store.LoadSession(ctx, hash)
	if fault.CodeOf(err) == fault.NotFound || err == nil && !same(session.Hash, hash) {
		return Identity{}, Session{}, noIdentity("you are not logged in", "log in")
	}
	if err != nil {
		return Identity{}, Session{}, err
	}
	if !s.Now().Before(session.ExpiresAt) {
		return Identity{}, Session{}, noIdentity("your session has expired", "log in again")
	}
	u, err := s.Store.LoadUser(ctx, session.User)
	if err != nil {
		return Identity{}, Session{}, err
	}
	return Identity{User: u.Name, Roles: u.Roles}, session, nil
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
	return s.Store.EndSession(ctx, hashOf(secret))
}

func (s *Service) startSession(ctx context.Context, user string) (LoggedIn, error) {
	secret := randomText(secretBytes)
	now := s.Now()
	session := Session{Hash: hashOf(secret), User: user, CSRF: randomText(secretBytes), CreatedAt: now, ExpiresAt: now.Add(s.SessionTime)}
	if err := s.Store.AddSession(ctx, session); err != nil {
		return LoggedIn{}, err
	}
	return LoggedIn{Secret: secret, Session: session}, nil
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
