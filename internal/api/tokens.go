package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/auth"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

// Tokens manages tokens.
type Tokens interface {
	// NewToken makes a token and returns its secret, which is not kept.
	NewToken(ctx context.Context, t auth.Token) (auth.Token, string, error)
	// ListTokens lists the user's tokens that are not revoked.
	ListTokens(ctx context.Context, user string) ([]auth.Token, error)
	RevokeToken(ctx context.Context, id string) error
}

func (s *server) registerTokens(a huma.API) {
	route(s, a, huma.Operation{
		OperationID: "listTokens", Method: http.MethodGet, Path: "/v1/tokens", Tags: []string{"access"},
		Summary: "List tokens", Description: "The caller's own; an admin may name another user.", Errors: []int{http.StatusForbidden},
	}, s.listTokens)
	route(s, a, huma.Operation{
		OperationID: "addToken", Method: http.MethodPost, Path: "/v1/tokens", Tags: []string{"access"},
		Summary: "Make a token", Description: "For the caller; an admin may make one for another user, or for a worker. The secret is told only now.",
		DefaultStatus: http.StatusCreated, Errors: []int{http.StatusForbidden, http.StatusNotFound, http.StatusConflict},
	}, s.addToken)
	route(s, a, huma.Operation{
		OperationID: "revokeToken", Method: http.MethodDelete, Path: "/v1/tokens/{token}", Tags: []string{"access"},
		Summary: "Revoke a token", Errors: []int{http.StatusForbidden, http.StatusNotFound},
	}, s.revokeToken)
}

type listTokensInput struct {
	User string `query:"user" doc:"whose; the caller's own without it"`
}

func (s *server) listTokens(ctx context.Context, in *listTokensInput) (*answer[client.Page[client.Token]], error) {
	user, err := userMeant(ctx, in.User, "see the tokens of "+in.User)
	if err != nil {
		return nil, err
	}
	list, err := s.Auth.ListTokens(ctx, user)
	return answered(page(wired(list, wireToken), ""), err)
}

type addTokenInput struct{ Body client.NewToken }

func (s *server) addToken(ctx context.Context, in *addTokenInput) (*answer[client.Token], error) {
	b := in.Body
	user, err := userMeant(ctx, b.User, "make tokens for "+b.User)
	if err != nil {
		return nil, err
	}
	if b.Worker {
		if err := admin(ctx, "make tokens of workers"); err != nil {
			return nil, err
		}
	}
	t := auth.Token{User: user, Name: b.Name, Worker: b.Worker, Environments: b.Environments}
	if b.For != "" {
		lasts, err := pipeline.ParseDuration(b.For)
		if err != nil || lasts < pipeline.Duration(time.Minute) {
			return nil, fault.Errorf(fault.Invalid, "for: %q is not a duration of at least a minute, such as 720h", b.For)
		}
		t.ExpiresAt = s.Now().Add(lasts.Std())
	}
	made, secret, err := s.Auth.NewToken(ctx, t)
	w := wireToken(made)
	w.Secret = secret
	return answered(w, err)
}

type revokeTokenInput struct {
	Token string `path:"token" doc:"the token's ID"`
}

func (s *server) revokeToken(ctx context.Context, in *revokeTokenInput) (*done, error) {
	if !who(ctx).Has(auth.Admin) {
		own, err := s.Auth.ListTokens(ctx, who(ctx).User)
		if err != nil {
			return nil, err
		}
		if !hasToken(own, in.Token) {
			return nil, fault.Errorf(fault.NotFound, "%s has no token %s", who(ctx).User, in.Token)
		}
	}
	return nil, s.Auth.RevokeToken(ctx, in.Token)
}

func hasToken(list []auth.Token, id string) bool {
	for _, t := range list {
		if t.ID == id {
			return true
		}
	}
	return false
}

// userMeant returns the user named, or the caller; another's takes an admin.
func userMeant(ctx context.Context, user, what string) (string, error) {
	if user == "" || user == who(ctx).User {
		return who(ctx).User, nil
	}
	return user, admin(ctx, what)
}

func wireToken(t auth.Token) client.Token {
	return client.Token{
		ID: t.ID, User: t.User, Name: t.Name, Worker: t.Worker, Environments: t.Environments,
		CreatedAt: t.CreatedAt, ExpiresAt: t.ExpiresAt,
	}
}
