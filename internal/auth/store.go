package auth

import (
	"context"
	"time"
)

// Store is what auth needs of a store: transactions. What f of an Update wrote is
// on disk when it returns nil, and nothing of it is there when f or the commit
// fails. View runs f on a snapshot. f must have no other effects.
type Store interface {
	Update(ctx context.Context, f func(Tx) error) error
	View(ctx context.Context, f func(Tx) error) error
}

// Tx is one transaction, valid only inside the function it was given to. What is
// missing is fault.NotFound; a second user or token of the same name fault.Conflict.
type Tx interface {
	UserTable
	TokenTable
	SessionTable
}

// UserTable keeps users by name.
type UserTable interface {
	AddUser(u User) error
	SaveUser(u User) error
	LoadUser(name string) (User, error)
	ListUsers() ([]User, error)
}

// TokenTable keeps tokens, also revoked and expired ones.
type TokenTable interface {
	AddToken(t Token) error
	LoadTokenByHash(hash string) (Token, error)
	// ListTokens returns the tokens of the user, of all users where it is empty.
	ListTokens(user string) ([]Token, error)
	RevokeToken(id string, at time.Time) error
}

// SessionTable keeps sessions until they end.
type SessionTable interface {
	AddSession(s Session) error
	LoadSession(hash string) (Session, error)
	// ListSessions returns the sessions of the user, of all users where it is empty.
	ListSessions(user string) ([]Session, error)
	// EndSession removes the session if it is there.
	EndSession(hash string) error
}
