package store

import (
	"github.com/fairwayhq/fairway/internal/auth"
	"github.com/fairwayhq/fairway/internal/fault"
)

const insertUser = `INSERT INTO users (name, roles, password, created_at) VALUES ($1, $2, $3, $4)`

// AddUser stores a new user; a second one of the same name is a fault.Conflict.
func (tx *Tx) AddUser(u auth.User) error {
	roles, err := jsonText(u.Roles)
	if err != nil {
		return err
	}
	_, err = tx.exec(insertUser, u.Name, roles, u.Password, nanos(u.CreatedAt))
	if fault.CodeOf(err) == fault.Conflict {
		return fault.Errorf(fault.Conflict, "user %s exists already", u.Name)
	}
	return err
}

const updateUser = `UPDATE users SET roles = $2, password = $3, created_at = $4 WHERE name = $1`

// SaveUser replaces the user of the same name, or returns fault.NotFound.
func (tx *Tx) SaveUser(u auth.User) error {
	roles, err := jsonText(u.Roles)
	if err != nil {
		return err
	}
	n, err := tx.exec(updateUser, u.Name, roles, u.Password, nanos(u.CreatedAt))
	if err == nil && n == 0 {
		return noUser(u.Name)
	}
	return err
}

const userColumns = `name, roles, password, created_at`

func userInto(u *auth.User) []any {
	return []any{&u.Name, jsonInto{&u.Roles}, &u.Password, timeInto{&u.CreatedAt}}
}

const selectUser = `SELECT ` + userColumns + ` FROM users WHERE name = $1`

// LoadUser returns the user, or fault.NotFound.
func (tx *Tx) LoadUser(name string) (u auth.User, err error) {
	found, err := tx.row(userInto(&u), selectUser, name)
	if err == nil && !found {
		return u, noUser(name)
	}
	return u, err
}

const selectUsers = `SELECT ` + userColumns + ` FROM users ORDER BY name`

// ListUsers returns all users by name.
func (tx *Tx) ListUsers() (all []auth.User, err error) {
	err = tx.rows(func(r rows) error {
		var u auth.User
		err := r.Scan(userInto(&u)...)
		all = append(all, u)
		return err
	}, selectUsers)
	return all, err
}

func noUser(name string) error {
	return fault.Errorf(fault.NotFound, "user %s does not exist", name)
}
