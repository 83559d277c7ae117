package auth

import (
	"context"
	"time"
)

// Store keeps users, tokens and sessions. Missing ones are fault.NotFound; a
// second user or token of the same name is fault.Conflict.
type Store interface {
	AddUser(ctx context.Context, u User) error
	SaveUser(ctx context.Context, u User) error
	LoadUser(ctx context.Context, name string) (User, error)
	ListUsers(ctx context.Context) ([]User, error)

	AddToken(ctx context.Context, t Token) error
	LoadTokenByHash(ctx context.Context, hash string) (Token, error)
	ListTokens(ctx context.Context, user string) ([]Token, error)
	RevokeToken(ctx context.Context, id string, at time.Time) error

	AddSession(ctx context.Context, s Session) error
	LoadSession(ctx context.Context, hash string) (Session, error)
	EndSession(ctx context.Context, hash string) error
}
