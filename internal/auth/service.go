package auth

import (
	"context"
	"errors"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/fairwayhq/fairway/internal/fault"
)

// Service is the use cases of identities. Its methods may be called from many
// goroutines; its fields are set before the first call.
type Service struct {
	Store Store
	// Now is the clock.
	Now func() time.Time
	// SessionTime is how long a login lasts.
	SessionTime time.Duration
	// PasswordCost is bcrypt's: each step up doubles the time of a login.
	PasswordCost int

	attempts *attempts
	lately   lately
	// hashing bounds the logins that burn a processor at once.
	hashing chan struct{}
}

// New returns a service with the defaults: sessions of 12 hours.
func New(store Store) *Service {
	return &Service{
		Store:        store,
		Now:          time.Now,
		SessionTime:  12 * time.Hour,
		PasswordCost: bcrypt.DefaultCost,
		attempts:     newAttempts(),
		hashing:      make(chan struct{}, 2),
	}
}

// ErrNoIdentity is in the chain of the errors that mean "nobody known", which the
// HTTP edge answers with 401 and not with 403.
var ErrNoIdentity = errors.New("no identity")

func noIdentity(message, hint string) error {
	e := fault.Errorf(fault.Denied, "%s", message).WithHint("%s", hint)
	e.Err = ErrNoIdentity
	return e
}

// FirstAdmin is the user that Bootstrap creates.
const FirstAdmin = "admin"

// Bootstrap creates the first admin with a token, and returns the token, where
// there is no user yet; otherwise it returns "" and does not call keep. keep puts
// the token where its owner finds it, and has it on disk when it returns: the
// token counts only then. So a kill at any point leaves a kept token that works, or
// an admin without one, to whom the next Bootstrap gives another.
//
// Of several servers that start on one store at the same time, one gives the token. The
// others return "", and drop takes away what they have kept.
func (s *Service) Bootstrap(ctx context.Context, keep, drop func(token string) error) (string, error) {
	text, err := s.bootstrap(ctx, keep, drop)
	// Another server came first: with the user, or then with the token.
	for range 2 {
		if fault.CodeOf(err) == fault.Conflict {
			text, err = s.bootstrap(ctx, keep, drop)
		}
	}
	return text, err
}

func (s *Service) bootstrap(ctx context.Context, keep, drop func(token string) error) (string, error) {
	wanted := false
	err := s.Store.Update(ctx, func(tx Tx) (err error) {
		wanted, err = s.firstAdmin(tx)
		return err
	})
	if err != nil || !wanted {
		return "", err
	}
	text, token := s.newToken(Token{User: FirstAdmin, Name: "first"})
	if err := keep(text); err != nil {
		return "", err
	}
	err = s.Store.Update(ctx, func(tx Tx) error { return tx.AddToken(token) })
	if fault.CodeOf(err) == fault.Conflict {
		if failed := drop(text); failed != nil {
			return "", failed
		}
	}
	return text, err
}

// firstAdmin creates the first admin where there is no user, and tells whether the
// first admin is the only user and has no way in yet.
func (s *Service) firstAdmin(tx Tx) (bool, error) {
	users, err := tx.ListUsers()
	if err != nil {
		return false, err
	}
	if len(users) == 0 {
		return true, tx.AddUser(User{Name: FirstAdmin, Roles: []Role{Admin}, CreatedAt: s.Now()})
	}
	if len(users) > 1 || users[0].Name != FirstAdmin || users[0].Password != "" {
		return false, nil
	}
	tokens, err := tx.ListTokens(FirstAdmin)
	return len(tokens) == 0, err
}
