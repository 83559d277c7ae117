package store

import (
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

const insertEvidence = `INSERT INTO evidence (id, digest, at, body) VALUES ($1, $2, $3, $4) ON CONFLICT (id) DO NOTHING`

// AddEvidence stores the fact. One whose ID is known already changes nothing, so posting it again is safe.
func (tx *Tx) AddEvidence(e pipeline.Evidence) error {
	if e.ID == "" {
		return fault.Errorf(fault.Internal, "add evidence %s about %s: it has no ID", e.Kind, e.Digest)
	}
	body, err := jsonText(e)
	if err != nil {
		return err
	}
	if err := tx.lockDigest(e.Digest); err != nil {
		return err
	}
	clear(tx.ahead)
	return tx.write(insertEvidence, e.ID, e.Digest, nanos(e.At), body)
}

const selectEvidence = `SELECT body FROM evidence WHERE digest = $1 ORDER BY at, id`

// Evidence returns all facts about the digest, oldest first.
func (tx *Tx) Evidence(digest string) ([]pipeline.Evidence, error) {
	var all []pipeline.Evidence
	err := tx.rows(func(r rows) error {
		var e pipeline.Evidence
		err := r.Scan(jsonInto{&e})
		all = append(all, e)
		return err
	}, selectEvidence, digest)
	return all, err
}
