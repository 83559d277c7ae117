package store

import (
	"github.com/fairwayhq/fairway/internal/drive"
)

const (
	upsertDrift = `INSERT INTO drifts (lane, release, hash, count, fields, since, git, at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
	ON CONFLICT (lane) DO UPDATE SET release = excluded.release, hash = excluded.hash, count = excluded.count, fields = excluded.fields,
	since = excluded.since, git = excluded.git, at = excluded.at`
	selectDrift = `SELECT release, hash, count, fields, since, git, at FROM drifts WHERE lane = $1`
)

// SaveDrift keeps what was seen in the place of what was seen before.
func (tx *Tx) SaveDrift(d drive.Drift) error {
	fields, err := jsonText(d.Fields)
	if err != nil {
		return err
	}
	git, err := jsonText(d.Git)
	if err != nil {
		return err
	}
	return tx.write(upsertDrift, d.Lane, d.Release, d.Hash, d.Count, fields, nanos(d.Since), git, nanos(d.At))
}

// Drift returns what was last seen in the lane; its At is zero if nobody ever looked.
func (tx *Tx) Drift(lane string) (drive.Drift, error) {
	d := drive.Drift{Lane: lane}
	_, err := tx.row([]any{&d.Release, &d.Hash, &d.Count, jsonInto{&d.Fields}, timeInto{&d.Since}, jsonInto{&d.Git}, timeInto{&d.At}}, selectDrift, lane)
	return d, err
}
