package auth

import (
	"context"

	"github.com/fairwayhq/fairway/internal/fault"
)

// Authenticate returns whose token it is. A token that is unknown, revoked or
// expired is fault.Denied with ErrNoIdentity; that a worker's was revoked by another
// server is known within a second. A worker's identity has no roles.
func (s *Service) Authenticate(ctx context.Context, bearer string) (Identity, error) {
	now := s.Now()
	if who, ok := s.lately.find(bearer, now); ok {
		return who, nil
	}
	var who Identity
	err := s.Store.View(ctx, func(tx Tx) (err error) {
		who, err = s.identify(tx, bearer)
		return err
	})
	if err == nil {
		s.lately.note(bearer, who, now)
	}
	return who, err
}

func (s *Service) identify(tx Tx, bearer string) (Identity, error) {
	id, secret, err := splitToken(bearer)
	if err != nil {
		return Identity{}, badToken()
	}
	t, err := tx.LoadTokenByHash(hashOf(secret))
	if fault.CodeOf(err) == fault.NotFound {
		return Identity{}, badToken()
	}
	if err != nil {
		return Identity{}, err
	}
	if !same(t.Hash, hashOf(secret)) || !same(t.ID, id) {
		return Identity{}, badToken()
	}
	if !t.RevokedAt.IsZero() {
		return Identity{}, noIdentity("the token "+t.ID+" was revoked", "ask an admin for a new token")
	}
	if !t.ExpiresAt.IsZero() && !s.Now().Before(t.ExpiresAt) {
		return Identity{}, noIdentity("the token "+t.ID+" has expired", "ask an admin for a new token")
	}
	u, err := tx.LoadUser(t.User)
	if err != nil {
		return Identity{}, err
	}
	if t.Worker {
		return Identity{User: u.Name, Token: &t, Worker: true}, nil
	}
	return Identity{User: u.Name, Roles: u.Roles, Token: &t}, nil
}

func badToken() error {
	return noIdentity("the token is not known", "check the token, or ask an admin for a new one")
}
