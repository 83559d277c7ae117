package auth

import (
	"context"
	"slices"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
)

// NewToken is what CreateToken needs.
type NewToken struct {
	User string
	// Name tells the user's tokens apart.
	Name string
	// Worker makes a token that may only lease and report tasks of Environments in Regions
	// (all if empty).
	Worker       bool
	Environments []string
	Regions      []string
	// For is how long it lasts; zero for ever.
	For time.Duration
}

// CreateToken returns a new token and its secret text, which cannot be read again.
// Users may create tokens for themselves; an admin for all, and for workers.
func (s *Service) CreateToken(ctx context.Context, by Identity, n NewToken) (string, Token, error) {
	if err := mustBeSelf(by, n.User, "create tokens for "+n.User); err != nil {
		return "", Token{}, err
	}
	if n.Worker {
		if err := mustBeAdmin(by, "create tokens for workers"); err != nil {
			return "", Token{}, err
		}
	}
	switch {
	case n.Name == "" || len(n.Name) > 100:
		return "", Token{}, fault.Errorf(fault.Invalid, "a token needs a name of at most 100 bytes").
			WithHint("say what it is for, for instance \"ci\"")
	case !n.Worker && len(n.Environments)+len(n.Regions) > 0:
		return "", Token{}, fault.Errorf(fault.Invalid, "only a worker's token is bound to environments and regions")
	case slices.Contains(n.Environments, "") || slices.Contains(n.Regions, ""):
		return "", Token{}, fault.Errorf(fault.Invalid, "a token cannot be bound to an environment or a region without a name").
			WithHint("leave both out for a token of all of them")
	case n.For < 0:
		return "", Token{}, fault.Errorf(fault.Invalid, "a token cannot last for %s", n.For)
	}
	t := Token{User: n.User, Name: n.Name, Worker: n.Worker, Environments: n.Environments, Regions: n.Regions}
	if n.For > 0 {
		t.ExpiresAt = s.Now().Add(n.For)
	}
	return s.issue(ctx, t)
}

// ListTokens returns the user's tokens; an admin may list anybody's, and all with an empty name.
func (s *Service) ListTokens(ctx context.Context, by Identity, user string) ([]Token, error) {
	if err := mustBeSelf(by, user, "list the tokens of others"); err != nil {
		return nil, err
	}
	var list []Token
	err := s.Store.View(ctx, func(tx Tx) (err error) {
		list, err = tx.ListTokens(user)
		return err
	})
	return list, err
}

// RevokeToken makes a token worthless at once, and ends the sessions that it
// opened. Users may for their own, an admin for all.
func (s *Service) RevokeToken(ctx context.Context, by Identity, id string) error {
	whose := by.User
	if mustBeAdmin(by, "") == nil {
		whose = "" // anybody's
	} else if err := mustBeSelf(by, whose, "revoke tokens"); err != nil {
		return err
	}
	defer s.lately.forget()
	return s.Store.Update(ctx, func(tx Tx) error {
		tokens, err := tx.ListTokens(whose)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(tokens, func(t Token) bool { return t.ID == id })
		switch {
		case i < 0 && whose == "":
			return fault.Errorf(fault.NotFound, "there is no token %s", id).WithHint("list the tokens of its user")
		case i < 0:
			return fault.Errorf(fault.NotFound, "you have no token %s", id).WithHint("list your tokens, or ask an admin")
		}
		if err := tx.RevokeToken(id, s.Now()); err != nil {
			return err
		}
		return endSessions(tx, tokens[i].User, func(session Session) bool { return session.Token == id })
	})
}

// issue gives the token its ID and secret, and stores it.
func (s *Service) issue(ctx context.Context, t Token) (string, Token, error) {
	text, t := s.newToken(t)
	if err := s.Store.Update(ctx, func(tx Tx) error { return tx.AddToken(t) }); err != nil {
		return "", Token{}, err
	}
	return text, t, nil
}

// newToken gives the token its ID and secret. It counts once it is stored.
func (s *Service) newToken(t Token) (string, Token) {
	secret := randomText(secretBytes)
	t.ID = randomText(idBytes)
	t.Hash = hashOf(secret)
	t.CreatedAt = s.Now()
	return joinToken(t.ID, secret), t
}
