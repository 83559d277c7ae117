package store

const upsertFence = `INSERT INTO fences (target, fence) VALUES ($1, 1)
	ON CONFLICT (target) DO UPDATE SET fence = fences.fence + 1 RETURNING fence`

// NextFence returns a number greater than all that committed transactions got for the target before.
func (tx *Tx) NextFence(target string) (int64, error) {
	var fence int64
	if err := tx.mayWrite(); err != nil {
		return 0, err
	}
	_, err := tx.row([]any{&fence}, upsertFence, target)
	return fence, err
}

const raiseFence = `INSERT INTO fences (target, fence) VALUES ($1, $2)
	ON CONFLICT (target) DO UPDATE SET fence = excluded.fence WHERE fences.fence < excluded.fence`

// RaiseFence makes the target's next fence greater than seen, which is positive.
func (tx *Tx) RaiseFence(target string, seen int64) error {
	return tx.write(raiseFence, target, seen)
}
