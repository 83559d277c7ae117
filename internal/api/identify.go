package api

import (
	"context"
	"errors"
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
	// session and the cookie that carries it; empty for a token.
	session auth.Session
	cookie  string
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
		if p == nil && strings.HasPrefix(r.URL.Path, workerRoutes) {
			p = s.certified(r)
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

const workerRoutes = "/v1/worker/"

func forWorkers(path string) bool { return strings.HasPrefix(path, workerRoutes) || path == "/v1/me" }

// certified refuses a worker without a client certificate, where they must have one.
func (s *server) certified(r *http.Request) *problem {
	if !s.WorkerCertificates || r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
		return nil
	}
	return newProblem(http.StatusForbidden, "workers of this server must show a certificate",
		"start the worker with --client-cert and --client-key; --tls-client-ca of the server says from which authority")
}

// callerOf reads the token or the session of the request.
func (s *server) callerOf(r *http.Request) (caller, *problem) {
	if header := r.Header.Get("Authorization"); header != "" {
		kind, secret, _ := strings.Cut(header, " ")
		if !strings.EqualFold(kind, "bearer") || secret == "" {
			return caller{}, newProblem(http.StatusUnauthorized, "the Authorization header is not 'Bearer TOKEN'", "send a token, for instance from FAIRWAY_TOKEN")
		}
		id, err := s.Auth.Authenticate(r.Context(), strings.TrimSpace(secret))
		return caller{Identity: id}, s.refusedBy(r.Context(), err)
	}
	cookie, err := r.Cookie(sessionCookie)
	if err != nil || cookie.Value == "" {
		return caller{}, newProblem(http.StatusUnauthorized, "the request does not say who makes it", "send a token as 'Authorization: Bearer TOKEN', or log in")
	}
	id, session, err := s.Auth.Resume(r.Context(), cookie.Value)
	if err != nil {
		return caller{}, s.refusedBy(r.Context(), err)
	}
	return caller{Identity: id, session: session, cookie: cookie.Value}, s.mayChange(r, session)
}

// refusedBy makes a problem of what package auth says; nobody known is 401.
func (s *server) refusedBy(ctx context.Context, err error) *problem {
	if err == nil {
		return nil
	}
	if errors.Is(err, auth.ErrNoIdentity) {
		return newProblem(http.StatusUnauthorized, fault.MessageOf(err), fault.HintOf(err))
	}
	return fail(ctx, s.Log, err)
}

// mayChange refuses a session's change that its own page did not make.
func (s *server) mayChange(r *http.Request, session auth.Session) *problem {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return nil
	}
	if err := crossOrigin.Check(r); err != nil {
		return foreign()
	}
	return s.refusedBy(r.Context(), s.Auth.CheckCSRF(session, r.Header.Get(csrfHeader)))
}

func foreign() *problem {
	return newProblem(http.StatusForbidden, "the request comes from the page of another site", "use Fairway's own page, or a token")
}
