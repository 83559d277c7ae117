package store

import (
	"time"

	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

// Whether there are facts at all is asked in the same query, since most runs have none.
const (
	runColumns = `plan, digest, seq, hash, wake_at, body,
	EXISTS (SELECT 1 FROM evidence WHERE evidence.digest = runs.digest)`
	selectRun = `SELECT ` + runColumns + ` FROM runs WHERE release = $1`
)

// runRow is a run as it is stored.
type runRow struct {
	plan, digest, hash, body string
	seq                      int64
	wake                     time.Time
	facts                    bool
}

func (r *runRow) into() []any {
	return []any{&r.plan, &r.digest, &r.seq, &r.hash, timeInto{&r.wake}, &r.body, &r.facts}
}

// LoadRun returns the run with its plan and evidence, or fault.NotFound. Plan and run are shared: do not change them.
func (tx *Tx) LoadRun(release string) (drive.Record, error) {
	r := drive.Record{Release: release}
	if err := tx.turnOf(release); err != nil {
		return r, err
	}
	row, found := tx.ahead[release]
	if !found {
		var err error
		if found, err = tx.row(row.into(), selectRun, release); err != nil {
			return drive.Record{}, err
		}
	}
	if !found {
		return drive.Record{}, noRelease(release)
	}
	var err error
	r.Seq, r.Hash, r.Wake = row.seq, row.hash, row.wake
	if r.Run, err = tx.plans.runs.decode(row.body); err != nil {
		return drive.Record{}, fault.Errorf(fault.Internal, "read the run of release %s: %w", release, err)
	}
	if r.Run.Version > pipeline.RunVersion {
		return drive.Record{}, fault.Errorf(fault.Conflict, "release %s was moved by a newer Fairway", release).
			WithHint("start the newer Fairway again to finish it")
	}
	if r.Run.Plan, err = tx.plan(row.plan); err != nil {
		return drive.Record{}, err
	}
	if row.facts {
		if r.Run.Evidence, err = tx.Evidence(row.digest); err != nil {
			return drive.Record{}, err
		}
	}
	return r, tx.evidenceOfOthers(&r.Run, row.digest)
}

// evidenceOfOthers adds the facts about the artifacts of other services, each artifact once.
func (tx *Tx) evidenceOfOthers(run *pipeline.Run, own string) error {
	seen := map[string]bool{own: true}
	for _, c := range run.Plan.With {
		if seen[c.Digest] {
			continue
		}
		seen[c.Digest] = true
		facts, err := tx.Evidence(c.Digest)
		if err != nil {
			return err
		}
		run.Evidence = append(run.Evidence, facts...)
	}
	return nil
}

const updateRun = `UPDATE runs SET state = $2, environment = $3, ended_at = $4, wake_at = $5, seq = $6, hash = $7, body = $8
	WHERE release = $1`

// SaveRun stores the run with its chain head and its wake-up (zero: none). The
// run must have been added with its release.
func (tx *Tx) SaveRun(r drive.Record, wake time.Time) error {
	body, err := jsonText(&r.Run)
	if err != nil {
		return err
	}
	delete(tx.ahead, r.Release)
	// No writeIf, though every transition comes by here: who saves a run has read it, and has
	// the turn of its service.
	return tx.writeOr(func(changed int64, err error) error {
		if err == nil && changed == 0 {
			return noRelease(r.Release)
		}
		return err
	}, updateRun, r.Release, string(r.Run.State), environmentOf(&r.Run),
		nanos(r.Run.EndedAt), nanos(wake), r.Seq, r.Hash, body)
}

const insertRun = `INSERT INTO runs (release, plan, digest, state, environment, ended_at, wake_at, seq, hash, body)
	VALUES ($1, $2, $3, $4, $5, $6, 0, 0, '', $7)`

func (tx *Tx) addRun(release, plan, digest string, run *pipeline.Run) error {
	body, err := jsonText(run)
	if err != nil {
		return err
	}
	return tx.write(insertRun, release, plan, digest, string(run.State), environmentOf(run), nanos(run.EndedAt), body)
}

func environmentOf(r *pipeline.Run) string {
	if len(r.Environments) == 0 {
		return ""
	}
	return r.Environments[r.Current()].Name
}

const selectDueRuns = `SELECT release FROM runs WHERE wake_at > 0 AND wake_at <= $1 ORDER BY wake_at, release LIMIT $2`

// DueRuns returns at most limit releases whose wake-up is not after now, oldest first.
func (tx *Tx) DueRuns(now time.Time, limit int) ([]string, error) {
	return tx.list(selectDueRuns, nanos(now), limited(limit))
}

const selectNextWake = `SELECT wake_at FROM runs WHERE wake_at > 0 AND wake_at > $1 ORDER BY wake_at LIMIT 1`

// NextWake returns the earliest wake-up after now, or zero.
func (tx *Tx) NextWake(now time.Time) (time.Time, error) {
	var wake time.Time
	_, err := tx.row([]any{timeInto{&wake}}, selectNextWake, nanos(now))
	return wake, err
}

const selectUnfinished = `SELECT release FROM runs WHERE ended_at = 0 ORDER BY release`

// Unfinished returns the releases that are not final.
func (tx *Tx) Unfinished() ([]string, error) { return tx.list(selectUnfinished) }

const selectUnfinishedOf = `SELECT runs.release FROM runs JOIN releases ON releases.id = runs.release
	WHERE runs.ended_at = 0 AND (releases.service = $1
	OR EXISTS (SELECT 1 FROM components WHERE components.release = runs.release AND components.service = $1)) ORDER BY runs.release`

// UnfinishedOf returns the releases with the service that are not final.
func (tx *Tx) UnfinishedOf(service string) ([]string, error) {
	return tx.list(selectUnfinishedOf, service)
}

const selectWaitingOn = `SELECT release, state FROM runs WHERE digest = $1 AND ended_at = 0
	UNION SELECT runs.release, runs.state FROM components JOIN runs ON runs.release = components.release
	WHERE components.digest = $1 AND runs.ended_at = 0 ORDER BY release`

// WaitingOn returns the releases that are not final and one of whose artifacts has the digest.
func (tx *Tx) WaitingOn(digest string) ([]string, error) {
	var waiting []string
	err := tx.rows(func(r rows) error {
		var release, state string
		if err := r.Scan(&release, &state); err != nil {
			return err
		}
		if !pipeline.RunState(state).Final() {
			waiting = append(waiting, release)
		}
		return nil
	}, selectWaitingOn, digest)
	return waiting, err
}

func noRelease(id string) error {
	return fault.Errorf(fault.NotFound, "release %s does not exist", id).
		WithHint("list the releases with `fairway status`")
}
