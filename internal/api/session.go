package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/auth"
	"github.com/fairwayhq/fairway/internal/fault"
)

// Auth is what the API needs of package auth.
type Auth interface {
	Identities
	Sessions
	Users
	Tokens
}

// Identities finds out who somebody is. Errors with auth.ErrNoIdentity in their
// chain mean that nobody is known.
type Identities interface {
	// Authenticate returns whose the token is.
	Authenticate(ctx context.Context, bearer string) (auth.Identity, error)
	// Resume returns whose the session is, by the secret in the cookie.
	Resume(ctx context.Context, secret string) (auth.Identity, auth.Session, error)
	// CheckCSRF refuses a change that does not come from a page of ours.
	CheckCSRF(session auth.Session, token string) error
}

// Sessions opens and ends sessions of browsers.
type Sessions interface {
	Login(ctx context.Context, user, password string) (auth.LoggedIn, error)
	LoginWithToken(ctx context.Context, bearer string) (auth.LoggedIn, error)
	Logout(ctx context.Context, secret string) error
}

func (s *server) registerSession(a huma.API) {
	open := []map[string][]string{}
	route(s, a, huma.Operation{
		OperationID: "me", Method: http.MethodGet, Path: "/v1/me", Tags: []string{"access"},
		Summary: "Tell who the caller is",
	}, s.me)
	route(s, a, huma.Operation{
		OperationID: "login", Method: http.MethodPost, Path: "/v1/login", Tags: []string{"access"}, Security: open,
		Summary: "Open a session", Description: "With a password or with a token. The session travels in a cookie that scripts cannot read.",
		Errors: []int{http.StatusUnauthorized},
	}, s.login)
	route(s, a, huma.Operation{
		OperationID: "logout", Method: http.MethodPost, Path: "/v1/logout", Tags: []string{"access"},
		Summary: "End the session", DefaultStatus: http.StatusNoContent,
	}, s.logout)
}

func (s *server) me(ctx context.Context, _ *struct{}) (*answer[client.Me], error) {
	c := callerOf(ctx)
	return answered(wireMe(c.Identity, c.session), nil)
}

func wireMe(id auth.Identity, session auth.Session) client.Me {
	return client.Me{User: id.User, Roles: roleNames(id.Roles), CSRF: session.CSRF}
}

type loginInput struct{ Body client.Login }

// cookieAnswer is an answer that sets the session's cookie.
type cookieAnswer struct {
	Cookie http.Cookie `header:"Set-Cookie"`
	Body   client.Me
}

func (s *server) login(ctx context.Context, in *loginInput) (*cookieAnswer, error) {
	opened, err := s.open(ctx, in.Body)
	if errors.Is(err, auth.ErrNoIdentity) {
		return nil, newProblem(http.StatusUnauthorized, fault.MessageOf(err), fault.HintOf(err))
	}
	if err != nil {
		return nil, err
	}
	id, session, err := s.Auth.Resume(ctx, opened.Secret)
	if err != nil {
		return nil, err
	}
	return &cookieAnswer{Cookie: s.cookie(ctx, opened.Secret, session.ExpiresAt), Body: wireMe(id, session)}, nil
}

func (s *server) open(ctx context.Context, ask client.Login) (auth.LoggedIn, error) {
	if ask.Token != "" {
		return s.Auth.LoginWithToken(ctx, ask.Token)
	}
	return s.Auth.Login(ctx, ask.User, ask.Password)
}

// closedAnswer takes the session's cookie away.
type closedAnswer struct {
	Cookie http.Cookie `header:"Set-Cookie"`
}

func (s *server) logout(ctx context.Context, _ *struct{}) (*closedAnswer, error) {
	if secret := callerOf(ctx).cookie; secret != "" {
		if err := s.Auth.Logout(ctx, secret); err != nil {
			return nil, err
		}
	}
	return &closedAnswer{Cookie: s.cookie(ctx, "", time.Unix(1, 0))}, nil
}

// cookie is the session's: out of reach of scripts and of other sites.
func (s *server) cookie(ctx context.Context, secret string, expires time.Time) http.Cookie {
	return http.Cookie{
		Name: sessionCookie, Value: secret, Path: "/", Expires: expires,
		HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: s.SecureCookies || observed(ctx).tls,
	}
}

func roleNames(roles []auth.Role) []string {
	return wired(roles, func(r auth.Role) string { return string(r) })
}
