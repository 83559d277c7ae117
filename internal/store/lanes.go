package store

import (
	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/fault"
)

const selectLane = `SELECT lane, release, environment, position, held FROM lanes WHERE lane = $1 ORDER BY held DESC, position`

// Lane returns the entries of the lane: the holder first if there is one, then the queue in order.
func (tx *Tx) Lane(lane string) ([]drive.LaneEntry, error) {
	var all []drive.LaneEntry
	err := tx.rows(func(r rows) error {
		var e drive.LaneEntry
		err := r.Scan(&e.Lane, &e.Release, &e.Environment, &e.Position, &e.Held)
		all = append(all, e)
		return err
	}, selectLane, lane)
	return all, err
}

const selectLanes = `SELECT DISTINCT lane FROM lanes ORDER BY lane`

// LanesInUse returns all lanes that have entries, sorted.
func (tx *Tx) LanesInUse() ([]string, error) { return tx.list(selectLanes) }

const insertLaneEntry = `INSERT INTO lanes (lane, release, environment, position, held)
	SELECT $1, $2, $3, coalesce(max(position), 0) + 1, FALSE FROM lanes WHERE lane = $1
	ON CONFLICT (lane, release) DO NOTHING`

// JoinLane puts the release at the end of the lane's queue. A release that is in the lane already keeps its place.
func (tx *Tx) JoinLane(lane, release, environment string) error {
	return tx.write(insertLaneEntry, lane, release, environment)
}

const updateLaneHeld = `UPDATE lanes SET held = TRUE WHERE lane = $1 AND release = $2`

// HoldLane makes the release the lane's holder. It returns fault.NotFound where
// the release did not join, and fault.Conflict where another one holds the lane.
func (tx *Tx) HoldLane(lane, release string) error {
	return tx.writeIf(func(changed int64, err error) error {
		switch {
		case fault.CodeOf(err) == fault.Conflict:
			return fault.Errorf(fault.Conflict, "another release holds the lane %s", lane)
		case err == nil && changed == 0:
			return fault.Errorf(fault.NotFound, "release %s is not in the lane %s", release, lane)
		}
		return err
	}, updateLaneHeld, lane, release)
}

const deleteLaneEntry = `DELETE FROM lanes WHERE lane = $1 AND release = $2`

// LeaveLane takes the release out of the lane if it is in it.
func (tx *Tx) LeaveLane(lane, release string) error {
	return tx.write(deleteLaneEntry, lane, release)
}
