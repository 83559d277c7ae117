package api_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/auth"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/stage"
)

func TestWhoIsUnknownGetsNothing(t *testing.T) {
	r := newRig(t)
	r.person("ann", auth.Admin)
	for name, header := range map[string]map[string]string{
		"nothing":           nil,
		"an unknown token":  {"Authorization": "Bearer nonsense"},
		"another scheme":    {"Authorization": "Basic YTpi"},
		"an unknown cookie": {"Cookie": "fairway_session=nonsense"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, path := range []string{"/v1/me", "/v1/releases", "/v1/events", "/v1/nothing"} {
				resp, body := r.call(http.MethodGet, path, "", header)
				if resp.StatusCode != http.StatusUnauthorized || resp.Header.Get("WWW-Authenticate") == "" || !strings.Contains(body, `"hint"`) {
					t.Errorf("GET %s = %d %s", path, resp.StatusCode, body)
				}
			}
		})
	}
}

func TestTokensEnd(t *testing.T) {
	r := newRig(t)
	ann := r.person("ann", auth.Developer)
	made, err := ann.AddToken(t.Context(), client.NewToken{Name: "ci", For: "1h"})
	if err != nil || made.Secret == "" || made.User != "ann" || time.Until(made.ExpiresAt) < 50*time.Minute {
		t.Fatalf("made %+v, %v", made, err)
	}
	ci := r.client(made.Secret)
	if me, err := ci.Me(t.Context()); err != nil || me.User != "ann" || me.CSRF != "" {
		t.Errorf("me = %+v, %v", me, err)
	}
	list, err := ann.Tokens(t.Context(), "")
	if err != nil || len(list.Items) != 2 {
		t.Errorf("tokens = %+v, %v", list, err)
	}
	for _, token := range list.Items {
		if token.Secret != "" {
			t.Error("a list tells a secret")
		}
	}
	bob := r.person("bob", auth.Developer)
	if err := bob.RevokeToken(t.Context(), made.ID); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("revoking another's token = %v, want not found", err)
	}
	if err := ann.RevokeToken(t.Context(), made.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := ci.Me(t.Context()); status(err) != http.StatusUnauthorized {
		t.Errorf("a revoked token = %v", err)
	}
}

// Every route that changes something refuses whoever lacks the role.
func TestEveryRouteRefusesWhoMayNot(t *testing.T) {
	r := newRig(t)
	ann := r.person("ann", auth.Developer)
	d := ship(t, ann, newRelease("v1", digest1))
	viewer := r.person("vic", auth.Viewer)
	ctx := t.Context()
	release := func(f func(ref string) error) func() error { return func() error { return f(d.ID) } }
	for name, call := range map[string]func() error{
		"create":   func() error { _, err := viewer.Create(ctx, newRelease("v2", digest2), ""); return err },
		"pause":    release(func(ref string) error { _, err := viewer.Pause(ctx, ref, client.Action{}); return err }),
		"resume":   release(func(ref string) error { _, err := viewer.Resume(ctx, ref, client.Action{}); return err }),
		"rollback": release(func(ref string) error { _, err := viewer.Rollback(ctx, ref, client.Rollback{}); return err }),
		"restore":  release(func(ref string) error { _, err := viewer.Rollback(ctx, ref, client.Rollback{To: "v1"}); return err }),
		"skip": release(func(ref string) error {
			_, err := viewer.Skip(ctx, ref, client.Action{Environment: "production", Reason: "x"})
			return err
		}),
		"freeze":   func() error { _, err := viewer.Freeze(ctx, client.NewFreeze{Reason: "x"}); return err },
		"unfreeze": func() error { return viewer.Unfreeze(ctx, "x") },
		"users":    func() error { _, err := viewer.Users(ctx); return err },
		"add user": func() error {
			_, err := viewer.AddUser(ctx, client.NewUser{Name: "x", Roles: []string{"viewer"}})
			return err
		},
		"their tokens": func() error { _, err := viewer.Tokens(ctx, "ann"); return err },
		"a token for another": func() error {
			_, err := viewer.AddToken(ctx, client.NewToken{User: "ann", Name: "x"})
			return err
		},
		"a worker's token": func() error { _, err := viewer.AddToken(ctx, client.NewToken{Name: "x", Worker: true}); return err },
		"lease":            func() error { _, err := viewer.Lease(ctx, stage.LeaseAsk{Worker: "w", Max: 1}); return err },
		"report": func() error {
			_, err := viewer.Report(ctx, stage.Report{Outcome: stage.Outcome{Status: "passed"}})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			err := call()
			if fault.CodeOf(err) != fault.Denied || status(err) != http.StatusForbidden || fault.HintOf(err) == "" {
				t.Errorf("error = %v (%d, hint %q), want 403 with a hint", err, status(err), fault.HintOf(err))
			}
		})
	}
	if after, err := ann.Release(ctx, d.ID); err != nil || after.Run.Paused != nil || after.State != d.State {
		t.Errorf("something changed all the same: %+v, %v", after.Run, err)
	}
}

func TestAdminsManageAccess(t *testing.T) {
	r := newRig(t)
	root := r.person("root", auth.Admin)
	u, err := root.AddUser(t.Context(), client.NewUser{Name: "eve", Roles: []string{"qa"}})
	if err != nil || u.Name != "eve" {
		t.Fatalf("made %+v, %v", u, err)
	}
	if _, err := root.AddUser(t.Context(), client.NewUser{Name: "eve", Roles: []string{"qa"}}); status(err) != 0 && fault.CodeOf(err) != fault.Conflict {
		t.Errorf("the same name twice = %v", err)
	}
	made, err := root.AddToken(t.Context(), client.NewToken{User: "eve", Name: "worker", Worker: true, Environments: []string{"staging"}})
	if err != nil || !made.Worker {
		t.Fatalf("made %+v, %v", made, err)
	}
	users, err := root.Users(t.Context())
	if err != nil || len(users.Items) != 2 {
		t.Errorf("users = %+v, %v", users, err)
	}
}

func TestAWorkersTokenIsForWorkersOnly(t *testing.T) {
	r := newRig(t)
	ann, sue := r.person("ann", auth.Developer), r.person("sue", auth.SRE)
	staging, production := r.worker("w-staging", "staging"), r.worker("w-production", "production")
	d := ship(t, ann, newRelease("v1", digest1))
	_, err := staging.Release(t.Context(), d.ID)
	refused(t, err, fault.Denied, "only the routes of workers")
	if _, err := staging.Me(t.Context()); err != nil {
		t.Errorf("me = %v", err)
	}
	_, err = production.Lease(t.Context(), stage.LeaseAsk{Worker: "w", Max: 1, Environments: []string{"staging"}})
	refused(t, err, fault.Denied, "the worker asks for staging, and its token is for production")
	if tasks, err := production.Lease(t.Context(), stage.LeaseAsk{Worker: "w", Max: 1}); err != nil || len(tasks) != 0 {
		t.Errorf("a worker of production leased %v, %v", tasks, err)
	}
	task := lease(t, staging)
	_, err = production.Report(t.Context(), stage.Report{Task: task.ID, Release: task.Release, Environment: "staging", Worker: "w", Fence: task.Fence, Outcome: passed})
	refused(t, err, fault.Denied, "the worker asks for staging, and its token is for production")
	report(t, staging, task, passed)
	if _, err := sue.Approve(t.Context(), d.ID, client.Approval{}); err != nil {
		t.Fatal(err)
	}
	work(t, production, passed)
}

func TestSessionsAndTheirCSRF(t *testing.T) {
	r := newRig(t)
	ann := r.person("ann", auth.Developer)
	d := ship(t, ann, newRelease("v1", digest1))
	cookie, me := r.login(`{"user":"ann","password":"a long password of ann"}`)
	if !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode || cookie.Path != "/" || me.CSRF == "" || me.User != "ann" {
		t.Fatalf("cookie = %+v, me = %+v", cookie, me)
	}
	with := func(more ...string) map[string]string {
		h := map[string]string{"Cookie": cookie.Name + "=" + cookie.Value}
		for i := 0; i < len(more); i += 2 {
			h[more[i]] = more[i+1]
		}
		return h
	}
	pause := "/v1/releases/" + d.ID + "/pause"
	for name, c := range map[string]struct {
		header map[string]string
		want   int
	}{
		"without the CSRF token":      {with(), http.StatusForbidden},
		"with a wrong CSRF token":     {with("X-CSRF-Token", "x"), http.StatusForbidden},
		"from another origin":         {with("X-CSRF-Token", me.CSRF, "Origin", "https://evil.example"), http.StatusForbidden},
		"from another site":           {with("X-CSRF-Token", me.CSRF, "Sec-Fetch-Site", "cross-site"), http.StatusForbidden},
		"from the own page, as it is": {with("X-CSRF-Token", me.CSRF, "Origin", r.server.URL), http.StatusOK},
	} {
		t.Run(name, func(t *testing.T) {
			if resp, body := r.call(http.MethodPost, pause, `{}`, c.header); resp.StatusCode != c.want {
				t.Errorf("POST = %d %s, want %d", resp.StatusCode, body, c.want)
			}
		})
	}
	if resp, _ := r.call(http.MethodGet, "/v1/releases", "", with()); resp.StatusCode != http.StatusOK {
		t.Errorf("reading with a session = %d", resp.StatusCode)
	}
	resp, _ := r.call(http.MethodPost, "/v1/logout", "", with("X-CSRF-Token", me.CSRF))
	if resp.StatusCode != http.StatusNoContent || len(resp.Cookies()) != 1 || resp.Cookies()[0].Value != "" {
		t.Errorf("logout = %d %v", resp.StatusCode, resp.Cookies())
	}
	if resp, _ := r.call(http.MethodGet, "/v1/me", "", with()); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("after the logout = %d", resp.StatusCode)
	}
}

// login opens a session, or ends the test.
func (r *rig) login(body string) (*http.Cookie, client.Me) {
	r.t.Helper()
	resp, text := r.call(http.MethodPost, "/v1/login", body, nil)
	var me client.Me
	if err := json.Unmarshal([]byte(text), &me); err != nil || resp.StatusCode != http.StatusOK || len(resp.Cookies()) != 1 {
		r.t.Fatalf("login = %d %s", resp.StatusCode, text)
	}
	return resp.Cookies()[0], me
}

func TestLogins(t *testing.T) {
	r := newRig(t)
	r.person("ann", auth.Developer)
	if _, me := r.login(`{"token":"` + r.token(auth.NewToken{User: "ann", Name: "browser"}) + `"}`); me.User != "ann" {
		t.Errorf("with a token: %+v", me)
	}
	var answers []string
	for _, body := range []string{`{"user":"ann","password":"wrong"}`, `{"user":"nobody","password":"wrong"}`, `{"token":"wrong"}`, `{}`} {
		resp, text := r.call(http.MethodPost, "/v1/login", body, nil)
		if resp.StatusCode != http.StatusUnauthorized || len(resp.Cookies()) != 0 {
			t.Errorf("login %s = %d", body, resp.StatusCode)
		}
		answers = append(answers, text)
	}
	if answers[0] != answers[1] {
		t.Errorf("the answer tells whether the name exists: %s / %s", answers[0], answers[1])
	}
	resp, _ := r.call(http.MethodPost, "/v1/login", `{"user":"ann","password":"a long password of ann"}`, map[string]string{"Origin": "https://evil.example"})
	if resp.StatusCode != http.StatusForbidden {
		t.Errorf("login from another site = %d", resp.StatusCode)
	}
}
