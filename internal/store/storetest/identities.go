package storetest

import (
	"testing"

	"github.com/fairwayhq/fairway/internal/auth"
	"github.com/fairwayhq/fairway/internal/fault"
)

// identify runs f in an update of identities and returns its error.
func (s Store) identify(t testing.TB, f func(tx auth.Tx) error) error {
	t.Helper()
	return s.Auth.Update(t.Context(), f)
}

func (s Store) mustIdentify(t testing.TB, f func(tx auth.Tx) error) {
	t.Helper()
	if err := s.identify(t, f); err != nil {
		t.Fatal(err)
	}
}

// known returns what f reads in a view of identities.
func known[T any](t testing.TB, s Store, f func(tx auth.Tx) (T, error)) (v T) {
	t.Helper()
	err := s.Auth.View(t.Context(), func(tx auth.Tx) (err error) {
		v, err = f(tx)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func users(t *testing.T, s Store) {
	bob := auth.User{Name: "bob", Roles: []auth.Role{auth.SRE, auth.QA}, CreatedAt: day, Password: "$2a$"}
	ann := auth.User{Name: "ann", CreatedAt: at(1)}
	for _, u := range []auth.User{bob, ann} {
		s.mustIdentify(t, func(tx auth.Tx) error { return tx.AddUser(u) })
	}
	wantCode(t, "AddUser again", s.identify(t, func(tx auth.Tx) error { return tx.AddUser(bob) }), fault.Conflict)
	wantCode(t, "SaveUser of none", s.identify(t, func(tx auth.Tx) error { return tx.SaveUser(auth.User{Name: "eve"}) }), fault.NotFound)
	wantCode(t, "LoadUser of none", s.identify(t, func(tx auth.Tx) error { _, err := tx.LoadUser("eve"); return err }), fault.NotFound)
	bob.Roles, bob.Password = []auth.Role{auth.Viewer}, ""
	s.mustIdentify(t, func(tx auth.Tx) error { return tx.SaveUser(bob) })
	equal(t, "user", known(t, s, func(tx auth.Tx) (auth.User, error) { return tx.LoadUser("bob") }), bob)
	equal(t, "users", known(t, s, auth.Tx.ListUsers), []auth.User{ann, bob})
}

func tokens(t *testing.T, s Store) {
	for _, name := range []string{"ann", "bob"} {
		s.mustIdentify(t, func(tx auth.Tx) error { return tx.AddUser(auth.User{Name: name}) })
	}
	add := func(token auth.Token) error {
		return s.identify(t, func(tx auth.Tx) error { return tx.AddToken(token) })
	}
	revoke := func(id string, when int) error {
		return s.identify(t, func(tx auth.Tx) error { return tx.RevokeToken(id, at(when)) })
	}
	ci := auth.Token{ID: "t1", User: "ann", Name: "ci", Hash: "h1", CreatedAt: day, ExpiresAt: at(60)}
	worker := auth.Token{ID: "t2", User: "ann", Name: "worker", Hash: "h2", Worker: true, Environments: []string{"staging"}, Regions: []string{"west"}, CreatedAt: at(1)}
	bobs := auth.Token{ID: "t3", User: "bob", Name: "ci", Hash: "h3", CreatedAt: at(2)}
	for _, token := range []auth.Token{ci, worker, bobs} {
		if err := add(token); err != nil {
			t.Fatal(err)
		}
	}
	wantCode(t, "a second token of that name", add(auth.Token{ID: "t4", User: "ann", Name: "ci", Hash: "h4"}), fault.Conflict)
	wantCode(t, "a token of nobody", add(auth.Token{ID: "t5", User: "eve", Name: "ci", Hash: "h5"}), fault.NotFound)
	wantCode(t, "a hash of nothing", s.identify(t, func(tx auth.Tx) error { _, err := tx.LoadTokenByHash("h9"); return err }), fault.NotFound)
	wantCode(t, "RevokeToken of none", revoke("t9", 0), fault.NotFound)

	for _, when := range []int{5, 6} {
		if err := revoke("t1", when); err != nil {
			t.Fatal(err)
		}
	}
	ci.RevokedAt = at(5)
	equal(t, "revoked token", known(t, s, func(tx auth.Tx) (auth.Token, error) { return tx.LoadTokenByHash("h1") }), ci)
	again := auth.Token{ID: "t6", User: "ann", Name: "ci", Hash: "h6", CreatedAt: at(7)}
	if err := add(again); err != nil {
		t.Errorf("a token with the name of a revoked one: %v", err)
	}
	for user, want := range map[string][]auth.Token{"ann": {ci, worker, again}, "eve": nil, "": {ci, worker, bobs, again}} {
		equal(t, "tokens of "+user, known(t, s, func(tx auth.Tx) ([]auth.Token, error) { return tx.ListTokens(user) }), want)
	}
}

func sessions(t *testing.T, s Store) {
	for _, name := range []string{"ann", "bob"} {
		s.mustIdentify(t, func(tx auth.Tx) error { return tx.AddUser(auth.User{Name: name}) })
	}
	one := auth.Session{Hash: "s1", User: "ann", CSRF: "c1", CreatedAt: day, ExpiresAt: at(60)}
	two := auth.Session{Hash: "s2", User: "ann", Token: "t1", CSRF: "c2", CreatedAt: at(61), ExpiresAt: at(120)}
	bobs := auth.Session{Hash: "s3", User: "bob", CSRF: "c3", CreatedAt: at(62), ExpiresAt: at(120)}
	nobodys := auth.Session{Hash: "s4", User: "eve", CreatedAt: day, ExpiresAt: at(9)}
	load := func(hash string) error {
		return s.identify(t, func(tx auth.Tx) error { _, err := tx.LoadSession(hash); return err })
	}
	s.mustIdentify(t, func(tx auth.Tx) error { return tx.AddSession(one) })
	equal(t, "session", known(t, s, func(tx auth.Tx) (auth.Session, error) { return tx.LoadSession("s1") }), one)
	wantCode(t, "a session of nobody", s.identify(t, func(tx auth.Tx) error { return tx.AddSession(nobodys) }), fault.NotFound)
	for _, next := range []auth.Session{two, bobs} {
		s.mustIdentify(t, func(tx auth.Tx) error { return tx.AddSession(next) })
	}
	wantCode(t, "a session that expired before the newest began", load("s1"), fault.NotFound)
	for user, want := range map[string][]auth.Session{"ann": {two}, "bob": {bobs}, "eve": nil, "": {two, bobs}} {
		equal(t, "sessions of "+user, known(t, s, func(tx auth.Tx) ([]auth.Session, error) { return tx.ListSessions(user) }), want)
	}
	for range 2 {
		s.mustIdentify(t, func(tx auth.Tx) error { return tx.EndSession("s2") })
	}
	wantCode(t, "an ended session", load("s2"), fault.NotFound)
}
