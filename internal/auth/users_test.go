package auth_test

import (
	"strings"
	"testing"

	"github.com/fairwayhq/fairway/internal/auth"
	"github.com/fairwayhq/fairway/internal/fault"
)

func TestOnlyAnAdminChangesUsers(t *testing.T) {
	a, _ := service(t)
	ann := create(t, a, "ann", "", auth.ReleaseManager, auth.SRE)
	_, err := a.CreateUser(t.Context(), ann, auth.NewUser{Name: "bob"})
	wantCode(t, "CreateUser", err, fault.Denied)
	wantCode(t, "SetRoles", a.SetRoles(t.Context(), ann, "ann", []auth.Role{auth.Admin}), fault.Denied)
	_, err = a.ListUsers(t.Context(), ann)
	wantCode(t, "ListUsers", err, fault.Denied)
	wantCode(t, "SetPassword of another", a.SetPassword(t.Context(), ann, "bob", "a long enough phrase"), fault.Denied)
	_, err = a.CreateUser(t.Context(), auth.Identity{}, auth.NewUser{Name: "bob"})
	wantCode(t, "CreateUser by nobody", err, fault.Denied)
}

func TestUsersAreChecked(t *testing.T) {
	a, _ := service(t)
	for name, n := range map[string]auth.NewUser{
		"no name":           {},
		"a name with space": {Name: "ann b"},
		"a long name":       {Name: strings.Repeat("a", 65)},
		"an unknown role":   {Name: "ann", Roles: []auth.Role{"king"}},
		"a short password":  {Name: "ann", Password: "short"},
		"a long password":   {Name: "ann", Password: strings.Repeat("a", 73)},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := a.CreateUser(t.Context(), admin, n)
			wantCode(t, "CreateUser", err, fault.Invalid)
			if fault.HintOf(err) == "" {
				t.Error("no hint says what to do")
			}
		})
	}
	create(t, a, "ann", "")
	_, err := a.CreateUser(t.Context(), admin, auth.NewUser{Name: "ann"})
	wantCode(t, "CreateUser again", err, fault.Conflict)
	wantCode(t, "SetRoles to an unknown one", a.SetRoles(t.Context(), admin, "ann", []auth.Role{"king"}), fault.Invalid)
	wantCode(t, "SetRoles of nobody", a.SetRoles(t.Context(), admin, "eve", nil), fault.NotFound)
}

func TestTheLastAdminStaysOne(t *testing.T) {
	a, _ := service(t)
	create(t, a, "ann", "", auth.Admin)
	wantCode(t, "SetRoles of the last admin", a.SetRoles(t.Context(), admin, "ann", nil), fault.Conflict)
	create(t, a, "bob", "", auth.Admin)
	if err := a.SetRoles(t.Context(), admin, "ann", []auth.Role{auth.Viewer}); err != nil {
		t.Errorf("SetRoles where another admin is left: %v", err)
	}
}

func TestPasswordsAreHashedAndNeverListed(t *testing.T) {
	a, _ := service(t)
	ann := create(t, a, "ann", "the first phrase")
	if err := a.SetPassword(t.Context(), ann, "ann", "the second phrase"); err != nil {
		t.Fatal(err)
	}
	_, err := a.Login(t.Context(), "ann", "the first phrase")
	wantNoIdentity(t, "the old password", err)
	if _, err := a.Login(t.Context(), "ann", "the second phrase"); err != nil {
		t.Errorf("the new password: %v", err)
	}
	var kept auth.User
	err = a.Store.View(t.Context(), func(tx auth.Tx) (err error) {
		kept, err = tx.LoadUser("ann")
		return err
	})
	if err != nil || !strings.HasPrefix(kept.Password, "$2a$") {
		t.Errorf("the kept password is %q, %v; want a bcrypt hash", kept.Password, err)
	}
	users, err := a.ListUsers(t.Context(), admin)
	if err != nil || len(users) != 1 || users[0].Password != "" {
		t.Errorf("ListUsers = %+v, %v; want ann without her password", users, err)
	}
}

func TestTokensAreForTheirUsers(t *testing.T) {
	a, _ := service(t)
	ann := create(t, a, "ann", "", auth.Developer)
	bob := create(t, a, "bob", "", auth.Developer)
	_, token, err := a.CreateToken(t.Context(), ann, auth.NewToken{User: "ann", Name: "ci"})
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = a.CreateToken(t.Context(), bob, auth.NewToken{User: "ann", Name: "mine now"})
	wantCode(t, "CreateToken for another", err, fault.Denied)
	_, _, err = a.CreateToken(t.Context(), ann, auth.NewToken{User: "ann", Name: "w", Worker: true})
	wantCode(t, "CreateToken for a worker", err, fault.Denied)
	_, _, err = a.CreateToken(t.Context(), ann, auth.NewToken{User: "ann"})
	wantCode(t, "CreateToken without a name", err, fault.Invalid)
	_, _, err = a.CreateToken(t.Context(), ann, auth.NewToken{User: "ann", Name: "x", Environments: []string{"staging"}})
	wantCode(t, "CreateToken bound to an environment", err, fault.Invalid)
	_, _, err = a.CreateToken(t.Context(), ann, auth.NewToken{User: "ann", Name: "ci"})
	wantCode(t, "CreateToken of the same name", err, fault.Conflict)
	_, err = a.ListTokens(t.Context(), bob, "ann")
	wantCode(t, "ListTokens of another", err, fault.Denied)
	_, err = a.ListTokens(t.Context(), bob, "")
	wantCode(t, "ListTokens of all", err, fault.Denied)
	wantCode(t, "RevokeToken of another", a.RevokeToken(t.Context(), bob, token.ID), fault.NotFound)
	if err := a.RevokeToken(t.Context(), admin, token.ID); err != nil {
		t.Errorf("RevokeToken by an admin: %v", err)
	}
}
