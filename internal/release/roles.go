package release

import (
	"strings"

	"github.com/fairwayhq/fairway/internal/auth"
	"github.com/fairwayhq/fairway/internal/fault"
)

// Who may do what. An admin may do everything but approve what is their own.
var (
	mayShip     = []auth.Role{auth.Developer, auth.ReleaseManager, auth.SRE}
	mayPause    = []auth.Role{auth.Developer, auth.ReleaseManager, auth.SRE, auth.Support}
	mayRollback = []auth.Role{auth.ReleaseManager, auth.SRE, auth.Support}
	mayDecide   = []auth.Role{auth.ReleaseManager, auth.SRE}
	mayFreeze   = []auth.Role{auth.ReleaseManager, auth.SRE}
	maySkip     = []auth.Role{auth.SRE}
	mayDrill    = []auth.Role{auth.SRE}
)

// need refuses an identity without one of the roles; what completes "may not …".
func need(who auth.Identity, what string, roles ...auth.Role) error {
	if !who.Worker && who.Has(roles...) {
		return nil
	}
	return denied(who, what, roles)
}

func denied(who auth.Identity, what string, roles []auth.Role) error {
	names := make([]string, len(roles))
	for i, r := range roles {
		names[i] = string(r)
	}
	return fault.Errorf(fault.Denied, "%s may not %s: it takes the role %s", who.User, what, either(names)).
		WithHint("ask an admin for the role, or somebody who has it to do it")
}

// needOwn lets a developer do it to a release of their own, and the roles to any.
func needOwn(who auth.Identity, what, author string, roles ...auth.Role) error {
	if !who.Worker && who.User == author && who.Has(auth.Developer) {
		return nil
	}
	return need(who, what, roles...)
}

// holds tells whether the identity has one of the roles, which may come from a plan.
func holds(who auth.Identity, roles []string) bool {
	if who.Worker {
		return false
	}
	for _, r := range roles {
		if who.Has(auth.Role(r)) {
			return true
		}
	}
	return len(roles) == 0 && who.Has(auth.Admin)
}

func names(roles []auth.Role) []string {
	out := make([]string, len(roles))
	for i, r := range roles {
		out[i] = string(r)
	}
	return out
}

// either joins words as people do: "a", "a or b", "a, b or c".
func either(words []string) string {
	switch n := len(words); n {
	case 0:
		return "admin"
	case 1:
		return words[0]
	default:
		return strings.Join(words[:n-1], ", ") + " or " + words[n-1]
	}
}
