package store

import (
	"strings"
)

const (
	upsertHome = `INSERT INTO homes (target, service, environment, release) VALUES ($1, $2, $3, $4)
	ON CONFLICT (target) DO UPDATE SET release = excluded.release`
	selectHome  = `SELECT release FROM homes WHERE target = $1`
	selectHomes = `SELECT target, environment, release FROM homes WHERE service = $1 ORDER BY target`
)

// SetHome notes which release the home of the target ("service/environment" or
// "service/environment/region") belongs to.
func (tx *Tx) SetHome(target, release string) error {
	service, place, _ := strings.Cut(target, "/")
	environment, _, _ := strings.Cut(place, "/")
	return tx.write(upsertHome, target, service, environment, release)
}

// Home returns which release the target's home belongs to, or "".
func (tx *Tx) Home(target string) (string, error) {
	var release string
	_, err := tx.row([]any{&release}, selectHome, target)
	return release, err
}

// Homes returns which release each environment's home belongs to, and each region's by the
// name of its entry; where the regions of an environment differ, the last region's is its.
func (tx *Tx) Homes(service string) (map[string]string, error) {
	homes := make(map[string]string)
	err := tx.rows(func(r rows) error {
		var target, environment, release string
		err := r.Scan(&target, &environment, &release)
		_, entry, _ := strings.Cut(target, "/")
		homes[environment], homes[entry] = release, release
		return err
	}, selectHomes, service)
	return homes, err
}
