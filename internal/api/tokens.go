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

// Tokens manages tokens: everybody their own, an admin all.
type Tokens interface {
	// CreateToken makes a token and returns its secret, which is not kept.
	CreateToken(ctx context.Context, by auth.Identity, n auth.NewToken) (string, auth.Token, error)
	ListTokens(ctx context.Context, by auth.Identity, user string) ([]auth.Token, error)
	RevokeToken(ctx context.Context, by auth.Identity, id string) error
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
	list, err := s.Auth.ListTokens(ctx, who(ctx), or(in.User, who(ctx).User))
	return answered(page(wired(list, wireToken), ""), err)
}

type addTokenInput struct{ Body client.NewToken }

func (s *server) addToken(ctx context.Context, in *addTokenInput) (*answer[client.Token], error) {
	b := in.Body
	n := auth.NewToken{User: or(b.User, who(ctx).User), Name: b.Name, Worker: b.Worker, Environments: b.Environments, Regions: b.Regions}
	if b.For != "" {
		lasts, err := pipeline.ParseDuration(b.For)
		if err != nil || lasts < pipeline.Duration(time.Minute) {
			return nil, fault.Errorf(fault.Invalid, "for: %q is not a duration of at least a minute, such as 720h", b.For).
				WithHint("leave it out for a token that lasts until it is revoked")
		}
		n.For = lasts.Std()
	}
	secret, made, err := s.Auth.CreateToken(ctx, who(ctx), n)
	w := wireToken(made)
	w.Secret = secret
	return answered(w, err)
}

type revokeTokenInput struct {
	Token string `path:"token" doc:"the token's ID"`
}

func (s *server) revokeToken(ctx context.Context, in *revokeTokenInput) (*done, error) {
	return nil, s.Auth.RevokeToken(ctx, who(ctx), in.Token)
}

func or(s, instead string) string {
	if s == "" {
		return instead
	}
	return s
}

func wireToken(t auth.Token) client.Token {
	return client.Token{
		ID: t.ID, User: t.User, Name: t.Name, Worker: t.Worker, Environments: t.Environments, Regions: t.Regions,
		CreatedAt: t.CreatedAt, ExpiresAt: t.ExpiresAt,
	}
}
