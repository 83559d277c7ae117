package api

import (
	"context"
	"crypto/subtle"
	"net/http"
	"strings"

	"github.com/fairwayhq/fairway/internal/auth"
	"github.com/fairwayhq/fairway/internal/fault"
)

// sessionCookie is the name of the cookie that carries a browser's session.
const sessionCookie = "fairway_session"

// csrfHeader must repeat the session's secret with every change.
const csrfHeader = "X-CSRF-Token"

// caller is who makes a request, and how.
type caller struct {
	auth.Identity
	// csrf is the session's secret; empty for a token.
	csrf string
	// session is the cookie's value; empty for a token.
	session string
}

type callerKey struct{}

// who returns the caller that identify found.
func who(ctx context.Context) auth.Identity { return callerOf(ctx).Identity }

func callerOf(ctx context.Context) caller {
	c, _ := ctx.Value(callerKey{}).(caller)
	return c
}

// crossOrigin refuses changes that another site's page makes with a user's cookie.
var crossOrigin = http.NewCrossOriginProtection()

// identify finds out who asks, for everything under /v1 but the login, and refuses
// who is unknown. A bearer token goes before a cookie. Changes with a cookie must
// come from the own origin and carry the session's CSRF token.
func (s *server) identify(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/v1/") {
			next.ServeHTTP(w, r)
			return
		}
		if r.URL.Path == "/v1/login" {
			if err := crossOrigin.Check(r); err != nil {
				writeProblem(w, foreign())
				return
			}
			next.ServeHTTP(w, r)
			return
		}
		c, p := s.callerOf(r)
		if p == nil && c.Worker && !forWorkers(r.URL.Path) {
			p = newProblem(http.StatusForbidden, "a worker's token opens only the routes of workers", "use a token of a person or of CI")
		}
		if p != nil {
			if p.Status == http.StatusUnauthorized {
				w.Header().Set("WWW-Authenticate", `Bearer realm="fairway"`)
			}
			writeProblem(w, p)
			return
		}
		observed(r.Context()).user = c.User
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), callerKey{}, c)))
	})
}

func forWorkers(path string) bool { return strings.HasPrefix(path, "/v1/worker/") || path == "/v1/me" }

// callerOf reads the token or the session of the request.
func (s *server) callerOf(r *http.Request) (caller, *problem) {
	if header := r.Header.Get("Authorization"); header != "" {
		kind, secret, _ := strings.Cut(header, " ")
		if !strings.EqualFold(kind, "bearer") || secret == "" {
			return caller{}, newProblem(http.StatusUnauthorized, "the Authorization header is not 'Bearer TOKEN'", "send a token, for instance from FAIRWAY_TOKEN")
		}
		id, err := s.Auth.Authenticate(r.Context(), strings.TrimSpace(secret))
		return caller{Identity: id}, s.unknown(r.Context(), err, "the token is unknown, revoked or expired", "make a new one with `fairway token create`")
	}
	cookie, err := r.Cookie(sessionCookie)
	if err != nil || cookie.Value == "" {
		return caller{}, newProblem(http.StatusUnauthorized, "the request says not who makes it", "send a token as 'Authorization: Bearer TOKEN', or sign in")
	}
	id, csrf, err := s.Auth.Session(r.Context(), cookie.Value)
	if err != nil {
		return caller{}, s.unknown(r.Context(), err, "the session has ended", "sign in again")
	}
	c := caller{Identity: id, csrf: csrf, session: cookie.Value}
	return c, c.mayChange(r)
}

// unknown turns a failed look-up into 401, unless it is the store that failed.
func (s *server) unknown(ctx context.Context, err error, detail, hint string) *problem {
	switch fault.CodeOf(err) {
	case "":
		return nil
	case fault.Internal, fault.Unavailable:
		return problemOf(fail(ctx, s.Log, err))
	}
	return newProblem(http.StatusUnauthorized, detail, hint)
}

// mayChange refuses a session's change that its own page did not make.
func (c caller) mayChange(r *http.Request) *problem {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return nil
	}
	if err := crossOrigin.Check(r); err != nil {
		return foreign()
	}
	if subtle.ConstantTimeCompare([]byte(r.Header.Get(csrfHeader)), []byte(c.csrf)) != 1 || c.csrf == "" {
		return newProblem(http.StatusForbidden, "the request does not carry the session's CSRF token",
			"send the header "+csrfHeader+" with the value that GET /v1/me tells")
	}
	return nil
}

func foreign() *problem {
	return newProblem(http.StatusForbidden, "the request comes from the page of another site", "use Fairway's own page, or a token")
}
