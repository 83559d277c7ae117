package auth

import (
	"context"
	"regexp"
	"slices"
	"strings"

	"github.com/fairwayhq/fairway/internal/fault"
)

// NewUser is what CreateUser needs. Password may be empty.
type NewUser struct {
	Name     string
	Roles    []Role
	Password string
}

var userName = regexp.MustCompile(`^[a-z0-9][a-z0-9._@-]{0,63}$`)

// CreateUser adds a user. Only an admin may.
func (s *Service) CreateUser(ctx context.Context, by Identity, n NewUser) (User, error) {
	if err := mustBeAdmin(by, "create users"); err != nil {
		return User{}, err
	}
	if !userName.MatchString(n.Name) {
		return User{}, fault.Errorf(fault.Invalid, "%q is not a user's name", n.Name).
			WithHint("use 1 to 64 of the characters a-z 0-9 . _ @ -, beginning with a letter or digit")
	}
	if err := validRoles(n.Roles); err != nil {
		return User{}, err
	}
	u := User{Name: n.Name, Roles: n.Roles, CreatedAt: s.Now()}
	if n.Password != "" {
		hash, err := s.hashPassword(n.Password)
		if err != nil {
			return User{}, err
		}
		u.Password = hash
	}
	return u, s.Store.Update(ctx, func(tx Tx) error { return tx.AddUser(u) })
}

// SetRoles replaces the user's roles; none take all rights away. Only an admin
// may, and the last admin stays one.
func (s *Service) SetRoles(ctx context.Context, by Identity, name string, roles []Role) error {
	if err := mustBeAdmin(by, "change roles"); err != nil {
		return err
	}
	if err := validRoles(roles); err != nil {
		return err
	}
	return s.Store.Update(ctx, func(tx Tx) error {
		u, err := tx.LoadUser(name)
		if err != nil {
			return err
		}
		if slices.Contains(u.Roles, Admin) && !slices.Contains(roles, Admin) {
			if err := anotherAdmin(tx, name); err != nil {
				return err
			}
		}
		u.Roles = roles
		return tx.SaveUser(u)
	})
}

// SetPassword replaces the user's password and ends the user's sessions, but for
// the one that asks for it. Users may for themselves, an admin for all.
func (s *Service) SetPassword(ctx context.Context, by Identity, name, password string) error {
	if err := mustBeSelf(by, name, "change the password of "+name); err != nil {
		return err
	}
	hash, err := s.hashPassword(password)
	if err != nil {
		return err
	}
	return s.Store.Update(ctx, func(tx Tx) error {
		u, err := tx.LoadUser(name)
		if err != nil {
			return err
		}
		u.Password = hash
		if err := tx.SaveUser(u); err != nil {
			return err
		}
		return endSessions(tx, name, func(session Session) bool { return session.Hash != by.Session })
	})
}

// ListUsers returns all users, without their passwords. Only an admin may.
func (s *Service) ListUsers(ctx context.Context, by Identity) ([]User, error) {
	if err := mustBeAdmin(by, "list users"); err != nil {
		return nil, err
	}
	var users []User
	err := s.Store.View(ctx, func(tx Tx) (err error) {
		users, err = tx.ListUsers()
		return err
	})
	for i := range users {
		users[i].Password = ""
	}
	return users, err
}

func anotherAdmin(tx Tx, than string) error {
	users, err := tx.ListUsers()
	if err != nil {
		return err
	}
	for _, u := range users {
		if u.Name != than && slices.Contains(u.Roles, Admin) {
			return nil
		}
	}
	return fault.Errorf(fault.Conflict, "%s is the last admin", than).
		WithHint("make somebody else an admin first")
}

func validRoles(roles []Role) error {
	for _, r := range roles {
		if !r.Known() {
			return fault.Errorf(fault.Invalid, "there is no role %q", r).
				WithHint("the roles are %s", strings.Join(roleNames(), ", "))
		}
	}
	return nil
}

func roleNames() []string {
	names := make([]string, len(Roles))
	for i, r := range Roles {
		names[i] = string(r)
	}
	return names
}

func mustBeAdmin(by Identity, what string) error {
	if by.Worker || !by.Has(Admin) {
		return fault.Errorf(fault.Denied, "only an admin may %s", what).WithHint("ask an admin")
	}
	return nil
}

func mustBeSelf(by Identity, name, what string) error {
	if !by.Worker && by.User != "" && by.User == name {
		return nil
	}
	return mustBeAdmin(by, what)
}
