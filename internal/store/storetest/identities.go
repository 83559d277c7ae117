package storetest

import (
	"testing"

	"github.com/fairwayhq/fairway/internal/auth"
	"github.com/fairwayhq/fairway/internal/fault"
)

func users(t *testing.T, s Store) {
	ctx := t.Context()
	bob := auth.User{Name: "bob", Roles: []auth.Role{auth.SRE, auth.QA}, CreatedAt: day, Password: "$2a$"}
	ann := auth.User{Name: "ann", CreatedAt: at(1)}
	for _, u := range []auth.User{bob, ann} {
		if err := s.Auth.AddUser(ctx, u); err != nil {
			t.Fatal(err)
		}
	}
	wantCode(t, "AddUser again", s.Auth.AddUser(ctx, bob), fault.Conflict)
	wantCode(t, "SaveUser of none", s.Auth.SaveUser(ctx, auth.User{Name: "eve"}), fault.NotFound)
	_, err := s.Auth.LoadUser(ctx, "eve")
	wantCode(t, "LoadUser of none", err, fault.NotFound)
	bob.Roles, bob.Password = []auth.Role{auth.Viewer}, ""
	if err := s.Auth.SaveUser(ctx, bob); err != nil {
		t.Fatal(err)
	}
	got, err := s.Auth.LoadUser(ctx, "bob")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "user", got, bob)
	all, err := s.Auth.ListUsers(ctx)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "users", all, []auth.User{ann, bob})
}

func tokens(t *testing.T, s Store) {
	ctx := t.Context()
	for _, name := range []string{"ann", "bob"} {
		if err := s.Auth.AddUser(ctx, auth.User{Name: name}); err != nil {
			t.Fatal(err)
		}
	}
	ci := auth.Token{ID: "t1", User: "ann", Name: "ci", Hash: "h1", CreatedAt: day, ExpiresAt: at(60)}
	worker := auth.Token{ID: "t2", User: "ann", Name: "worker", Hash: "h2", Worker: true, Environments: []string{"staging"}, CreatedAt: at(1)}
	bobs := auth.Token{ID: "t3", User: "bob", Name: "ci", Hash: "h3", CreatedAt: at(2)}
	for _, token := range []auth.Token{ci, worker, bobs} {
		if err := s.Auth.AddToken(ctx, token); err != nil {
			t.Fatal(err)
		}
	}
	wantCode(t, "a second token of that name", s.Auth.AddToken(ctx, auth.Token{ID: "t4", User: "ann", Name: "ci", Hash: "h4"}), fault.Conflict)
	wantCode(t, "a token of nobody", s.Auth.AddToken(ctx, auth.Token{ID: "t5", User: "eve", Name: "ci", Hash: "h5"}), fault.NotFound)
	_, err := s.Auth.LoadTokenByHash(ctx, "h9")
	wantCode(t, "a hash of nothing", err, fault.NotFound)
	wantCode(t, "RevokeToken of none", s.Auth.RevokeToken(ctx, "t9", day), fault.NotFound)

	for _, when := range []int{5, 6} {
		if err := s.Auth.RevokeToken(ctx, "t1", at(when)); err != nil {
			t.Fatal(err)
		}
	}
	ci.RevokedAt = at(5)
	got, err := s.Auth.LoadTokenByHash(ctx, "h1")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "revoked token", got, ci)
	again := auth.Token{ID: "t6", User: "ann", Name: "ci", Hash: "h6", CreatedAt: at(7)}
	if err := s.Auth.AddToken(ctx, again); err != nil {
		t.Errorf("a token with the name of a revoked one: %v", err)
	}
	for user, want := range map[string][]auth.Token{"ann": {ci, worker, again}, "eve": nil, "": {ci, worker, bobs, again}} {
		all, err := s.Auth.ListTokens(ctx, user)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "tokens of "+user, all, want)
	}
}

func sessions(t *testing.T, s Store) {
	ctx := t.Context()
	if err := s.Auth.AddUser(ctx, auth.User{Name: "ann"}); err != nil {
		t.Fatal(err)
	}
	one := auth.Session{Hash: "s1", User: "ann", CSRF: "c1", CreatedAt: day, ExpiresAt: at(60)}
	two := auth.Session{Hash: "s2", User: "ann", CSRF: "c2", CreatedAt: at(61), ExpiresAt: at(120)}
	load := func(hash string) (auth.Session, error) { return s.Auth.LoadSession(ctx, hash) }
	if err := s.Auth.AddSession(ctx, one); err != nil {
		t.Fatal(err)
	}
	got, err := load("s1")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "session", got, one)
	wantCode(t, "a session of nobody", s.Auth.AddSession(ctx, auth.Session{Hash: "s3", User: "eve", CreatedAt: day, ExpiresAt: at(9)}), fault.NotFound)
	if err := s.Auth.AddSession(ctx, two); err != nil {
		t.Fatal(err)
	}
	_, err = load("s1")
	wantCode(t, "a session that expired before the newest began", err, fault.NotFound)
	for range 2 {
		if err := s.Auth.EndSession(ctx, "s2"); err != nil {
			t.Fatal(err)
		}
	}
	_, err = load("s2")
	wantCode(t, "an ended session", err, fault.NotFound)
}
