package store

import (
	"slices"

	"github.com/fairwayhq/fairway/internal/pipeline"
)

const insertComponent = `INSERT INTO components (release, service, digest) VALUES ($1, $2, $3)`

// addComponents stores the services of a release of several, the leading one too, by which it
// is found. Their turns are taken, and their digests locked, by the caller.
func (tx *Tx) addComponents(release string, p *pipeline.Plan) error {
	if len(p.With) == 0 {
		return nil
	}
	for _, c := range p.Components() {
		if err := tx.write(insertComponent, release, c.Service, c.Digest); err != nil {
			return err
		}
	}
	return nil
}

// lockDigests is lockDigest for all artifacts of a release, in the order of all.
func (tx *Tx) lockDigests(first string, p *pipeline.Plan) error {
	digests := []string{first}
	for _, c := range p.With {
		digests = append(digests, c.Digest)
	}
	slices.Sort(digests)
	for _, digest := range slices.Compact(digests) {
		if err := tx.lockDigest(digest); err != nil {
			return err
		}
	}
	return nil
}

const selectIsComponent = `SELECT 1 FROM components WHERE service = $1 LIMIT 1`

// isComponent tells whether the service was ever released together with others.
func (tx *Tx) isComponent(service string) (bool, error) {
	if service == "" {
		return false, nil
	}
	var one int
	return tx.row([]any{&one}, selectIsComponent, service)
}
