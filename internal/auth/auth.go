// Package auth knows identities: users, their roles, tokens and sessions. What a
// role may do to a release is decided where it is done, in package release; who
// may change users and tokens is decided here.
//
//	a := auth.New(store)
//	secret, err := a.Bootstrap(ctx, keep, drop)      // the first start: an admin's token, shown once
//	who, err := a.Authenticate(ctx, secret)          // each request with a token
//	login, err := a.Login(ctx, "ann", "pass phrase") // a browser
//	who, session, err := a.Resume(ctx, login.Secret) // each request with a cookie
//
// Secrets are 256 random bits, and only their SHA-256 is kept. Passwords are kept
// as bcrypt hashes.
package auth

import (
	"slices"
	"time"
)

// Role is what somebody may do.
type Role string

// The roles.
const (
	Viewer         Role = "viewer"
	Developer      Role = "developer"
	ReleaseManager Role = "release-manager"
	SRE            Role = "sre"
	Security       Role = "security"
	QA             Role = "qa"
	ProductOwner   Role = "product-owner"
	Support        Role = "support"
	Admin          Role = "admin"
)

// Roles lists all roles.
var Roles = []Role{Viewer, Developer, ReleaseManager, SRE, Security, QA, ProductOwner, Support, Admin}

// User is somebody, or something, that has tokens.
type User struct {
	Name      string
	Roles     []Role
	CreatedAt time.Time
	// Password is a bcrypt hash; empty where only tokens are used.
	Password string
}

// Token opens the API. Only its hash is kept.
type Token struct {
	ID   string
	User string
	Name string
	// Hash is the SHA-256 of the secret, in hexadecimal.
	Hash string
	// Worker tokens may only lease and report tasks, of these environments and regions
	// (all if empty).
	Worker       bool
	Environments []string
	Regions      []string
	CreatedAt    time.Time
	ExpiresAt    time.Time // zero: never
	RevokedAt    time.Time // zero: not revoked
}

// Session is a browser's login.
type Session struct {
	Hash string
	User string
	// Token is the ID of the token that opened it, whose end is its end too; empty
	// where a password did.
	Token     string
	CSRF      string
	CreatedAt time.Time
	ExpiresAt time.Time
}

// Known tells whether there is such a role.
func (r Role) Known() bool { return slices.Contains(Roles, r) }

// Identity is who makes a request.
type Identity struct {
	User  string
	Roles []Role
	Token *Token // nil for a session
	// Session is the session's hash; empty for a token.
	Session string
	Worker  bool
}

// Has tells whether the identity has one of the roles. An admin has all.
func (i Identity) Has(roles ...Role) bool {
	for _, have := range i.Roles {
		if have == Admin {
			return true
		}
		for _, want := range roles {
			if have == want {
				return true
			}
		}
	}
	return false
}

// MayLease tells whether the identity may lease tasks of the environment in the region: a
// worker of both, or an admin.
func (i Identity) MayLease(environment, region string) bool {
	if !i.Worker {
		return i.Has(Admin)
	}
	return i.Token != nil && covers(i.Token.Environments, environment) && covers(i.Token.Regions, region)
}

// covers tells whether the list, which means all where it is empty, has the name.
func covers(list []string, name string) bool { return len(list) == 0 || slices.Contains(list, name) }
