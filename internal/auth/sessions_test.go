package auth_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/auth"
	"github.com/fairwayhq/fairway/internal/fault"
)

// goesOn tells whether the login is still a session.
func goesOn(t *testing.T, a *auth.Service, login auth.LoggedIn) bool {
	t.Helper()
	_, _, err := a.Resume(t.Context(), login.Secret)
	if err != nil {
		wantNoIdentity(t, "Resume of an ended session", err)
	}
	return err == nil
}

func loginAs(t *testing.T, a *auth.Service, bearer string) auth.LoggedIn {
	t.Helper()
	login, err := a.LoginWithToken(t.Context(), bearer)
	if err != nil {
		t.Fatal(err)
	}
	return login
}

func tokenOf(t *testing.T, a *auth.Service, n auth.NewToken) (string, auth.Token) {
	t.Helper()
	text, token, err := a.CreateToken(t.Context(), admin, n)
	if err != nil {
		t.Fatal(err)
	}
	return text, token
}

func TestARevokedTokenTakesItsSessionsWithIt(t *testing.T) {
	a, _ := service(t)
	create(t, a, "ann", "correct horse battery", auth.Developer)
	lost, token := tokenOf(t, a, auth.NewToken{User: "ann", Name: "lost"})
	other, _ := tokenOf(t, a, auth.NewToken{User: "ann", Name: "other"})
	byLost, byOther := loginAs(t, a, lost), loginAs(t, a, other)
	byPassword, err := a.Login(t.Context(), "ann", "correct horse battery")
	if err != nil {
		t.Fatal(err)
	}
	if err := a.RevokeToken(t.Context(), admin, token.ID); err != nil {
		t.Fatal(err)
	}
	if goesOn(t, a, byLost) {
		t.Error("the session goes on whose token was revoked")
	}
	if !goesOn(t, a, byOther) || !goesOn(t, a, byPassword) {
		t.Error("a session ended that the revoked token did not open")
	}
}

func TestASessionLastsNoLongerThanItsToken(t *testing.T) {
	a, c := service(t)
	create(t, a, "ann", "", auth.Developer)
	text, _ := tokenOf(t, a, auth.NewToken{User: "ann", Name: "short", For: time.Hour})
	login := loginAs(t, a, text)
	c.advance(time.Hour - 1)
	if !goesOn(t, a, login) {
		t.Error("the session ended before its token")
	}
	c.advance(1)
	if goesOn(t, a, login) {
		t.Error("the session goes on whose token has expired")
	}
}

func TestANewPasswordEndsTheUsersOtherSessions(t *testing.T) {
	a, _ := service(t)
	create(t, a, "ann", "correct horse battery", auth.Developer)
	create(t, a, "bob", "another long phrase", auth.Developer)
	login := func(name, password string) auth.LoggedIn {
		t.Helper()
		l, err := a.Login(t.Context(), name, password)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	mine, thiefs, bobs := login("ann", "correct horse battery"), login("ann", "correct horse battery"), login("bob", "another long phrase")
	me, _, err := a.Resume(t.Context(), mine.Secret)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.SetPassword(t.Context(), me, "ann", "a phrase of my own"); err != nil {
		t.Fatal(err)
	}
	if !goesOn(t, a, mine) || goesOn(t, a, thiefs) || !goesOn(t, a, bobs) {
		t.Error("want the asking session and the other user's to go on, and nothing else")
	}
	if err := a.SetPassword(t.Context(), admin, "ann", "a phrase by the admin"); err != nil {
		t.Fatal(err)
	}
	if goesOn(t, a, mine) {
		t.Error("the session goes on after an admin changed the password")
	}
}

// meddling is a store that lets something happen before its next update.
type meddling struct {
	auth.Store
	first func()
}

func (m *meddling) Update(ctx context.Context, f func(auth.Tx) error) error {
	if first := m.first; first != nil {
		m.first = nil
		first()
	}
	return m.Store.Update(ctx, f)
}

func TestALoginThatACredentialsEndOvertakesIsRefused(t *testing.T) {
	a, _ := service(t)
	create(t, a, "ann", "correct horse battery", auth.Developer)
	text, token := tokenOf(t, a, auth.NewToken{User: "ann", Name: "laptop"})
	m := &meddling{Store: a.Store}
	a.Store = m
	m.first = func() {
		if err := a.SetPassword(t.Context(), admin, "ann", "a new and long phrase"); err != nil {
			t.Error(err)
		}
	}
	_, err := a.Login(t.Context(), "ann", "correct horse battery")
	wantNoIdentity(t, "a login with the old password", err)
	m.first = func() {
		if err := a.RevokeToken(t.Context(), admin, token.ID); err != nil {
			t.Error(err)
		}
	}
	_, err = a.LoginWithToken(t.Context(), text)
	wantNoIdentity(t, "a login with the revoked token", err)
}

func TestChangesOfOneUserAtTheSameMomentLoseNothing(t *testing.T) {
	a, _ := service(t)
	create(t, a, "ann", "correct horse battery", auth.Admin)
	for i := range 20 {
		role := auth.Roles[i%2] // viewer, developer
		var both sync.WaitGroup
		both.Go(func() {
			if err := a.SetRoles(context.Background(), admin, "ann", []auth.Role{role, auth.Admin}); err != nil {
				t.Error(err)
			}
		})
		both.Go(func() {
			if err := a.SetPassword(context.Background(), admin, "ann", "the next long phrase"); err != nil {
				t.Error(err)
			}
		})
		both.Wait()
		login, err := a.Login(t.Context(), "ann", "the next long phrase")
		if err != nil {
			t.Fatalf("the password was lost: %v", err)
		}
		if who, _, err := a.Resume(t.Context(), login.Secret); err != nil || !slices.Contains(who.Roles, role) {
			t.Fatalf("the roles are %v, %v; want %s among them", who.Roles, err, role)
		}
		if err := a.SetPassword(t.Context(), admin, "ann", "correct horse battery"); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOfTwoLastAdminsOneStays(t *testing.T) {
	a, _ := service(t)
	for range 20 {
		name := []string{"ann", "bob"}
		for _, n := range name {
			if _, err := a.CreateUser(t.Context(), admin, auth.NewUser{Name: n}); err != nil && fault.CodeOf(err) != fault.Conflict {
				t.Fatal(err)
			}
			if err := a.SetRoles(t.Context(), admin, n, []auth.Role{auth.Admin}); err != nil {
				t.Fatal(err)
			}
		}
		errs := make([]error, len(name))
		var both sync.WaitGroup
		for i, n := range name {
			both.Go(func() { errs[i] = a.SetRoles(context.Background(), admin, n, nil) })
		}
		both.Wait()
		if (errs[0] == nil) == (errs[1] == nil) {
			t.Fatalf("both lost the role, or neither: %v", errs)
		}
	}
}
