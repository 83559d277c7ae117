package store

import "time"

// What is old is asked of releases that have ended and are at home nowhere.
const past = `SELECT release FROM runs WHERE ended_at > 0 AND ended_at < $1
	AND release NOT IN (SELECT release FROM homes) AND EXISTS `

const selectPastSamples = past + `(SELECT 1 FROM points WHERE points.release = runs.release) ORDER BY release LIMIT $2`

// PastSamples returns at most limit releases that ended before the instant, are at
// home nowhere, and have points.
func (tx *Tx) PastSamples(before time.Time, limit int) ([]string, error) {
	return tx.list(selectPastSamples, nanos(before), limited(limit))
}

// The first line of a chain is there until the chain was removed.
const selectPastEvents = past + `(SELECT 1 FROM events WHERE events.release = runs.release AND events.seq = 1) ORDER BY release LIMIT $2`

// PastEvents returns at most limit releases that ended before the instant, are at home
// nowhere, and whose chains are there from their first line on.
func (tx *Tx) PastEvents(before time.Time, limit int) ([]string, error) {
	return tx.list(selectPastEvents, nanos(before), limited(limit))
}

const deletePoints = `DELETE FROM points WHERE id IN (SELECT id FROM points WHERE release = $1 ORDER BY id LIMIT $2)`

// RemovePoints removes at most limit points of the release, the oldest first. The scales
// that they share stay: there are few.
func (tx *Tx) RemovePoints(release string, limit int) (int64, error) {
	return tx.exec(deletePoints, release, limited(limit))
}

const deleteEvents = `DELETE FROM events WHERE release = $1 AND seq <= $2`

// RemoveEvents removes the lines of the release's chain up to the number.
func (tx *Tx) RemoveEvents(release string, upTo int64) (int64, error) {
	return tx.exec(deleteEvents, release, upTo)
}
