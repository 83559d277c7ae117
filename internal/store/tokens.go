package store

import (
	"time"

	"github.com/fairwayhq/fairway/internal/auth"
	"github.com/fairwayhq/fairway/internal/fault"
)

const tokenColumns = `id, user_name, name, hash, worker, environments, regions, created_at, expires_at, revoked_at`

const insertToken = `INSERT INTO tokens (` + tokenColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`

// AddToken stores a new token. It is a fault.Conflict where the ID or the hash is
// taken, or the user has a token of that name which is not revoked.
func (tx *Tx) AddToken(t auth.Token) error {
	environments, err := jsonText(t.Environments)
	if err != nil {
		return err
	}
	regions, err := jsonText(t.Regions)
	if err != nil {
		return err
	}
	_, err = tx.exec(insertToken, t.ID, t.User, t.Name, t.Hash, t.Worker, environments, regions,
		nanos(t.CreatedAt), nanos(t.ExpiresAt), nanos(t.RevokedAt))
	switch fault.CodeOf(err) {
	case fault.Conflict:
		return fault.Errorf(fault.Conflict, "user %s has a token %q already", t.User, t.Name).
			WithHint("revoke it first, or choose another name")
	case fault.NotFound:
		return noUser(t.User)
	}
	return err
}

func tokenInto(t *auth.Token) []any {
	return []any{&t.ID, &t.User, &t.Name, &t.Hash, &t.Worker, jsonInto{&t.Environments}, jsonInto{&t.Regions},
		timeInto{&t.CreatedAt}, timeInto{&t.ExpiresAt}, timeInto{&t.RevokedAt}}
}

const selectToken = `SELECT ` + tokenColumns + ` FROM tokens WHERE hash = $1`

// LoadTokenByHash returns the token, also a revoked or expired one, or fault.NotFound.
func (tx *Tx) LoadTokenByHash(hash string) (t auth.Token, err error) {
	found, err := tx.row(tokenInto(&t), selectToken, hash)
	if err == nil && !found {
		return t, fault.Errorf(fault.NotFound, "the token does not exist")
	}
	return t, err
}

const (
	selectTokens       = `SELECT ` + tokenColumns + ` FROM tokens ORDER BY created_at, id`
	selectTokensOfUser = `SELECT ` + tokenColumns + ` FROM tokens WHERE user_name = $1 ORDER BY created_at, id`
)

// ListTokens returns the tokens of the user (of all users where it is empty), oldest first.
func (tx *Tx) ListTokens(user string) (all []auth.Token, err error) {
	query, args := selectTokens, []any{}
	if user != "" {
		query, args = selectTokensOfUser, []any{user}
	}
	err = tx.rows(func(r rows) error {
		var t auth.Token
		err := r.Scan(tokenInto(&t)...)
		all = append(all, t)
		return err
	}, query, args...)
	return all, err
}

const (
	updateTokenRevoked = `UPDATE tokens SET revoked_at = $2 WHERE id = $1 AND revoked_at = 0`
	countToken         = `SELECT count(*) FROM tokens WHERE id = $1`
)

// RevokeToken revokes the token, or returns fault.NotFound. One that is revoked already stays as it is.
func (tx *Tx) RevokeToken(id string, at time.Time) error {
	n, err := tx.exec(updateTokenRevoked, id, nanos(at))
	if err != nil || n > 0 {
		return err
	}
	var known int
	if _, err := tx.row([]any{&known}, countToken, id); err != nil || known > 0 {
		return err
	}
	return fault.Errorf(fault.NotFound, "token %s does not exist", id)
}
