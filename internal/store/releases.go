package store

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/release"
)

const insertRelease = `INSERT INTO releases
	(id, service, version, artifact, digest, author, note, plan, rollback_to, drill_of, created_at, definition, components)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`

// AddRelease stores the release with its plan and its new run, which has an
// empty chain and no wake-up. A second release of the same ID is a fault.Conflict.
// An empty PlanHash is filled in, as the other services of the plan are; one that is not the
// plan's is fault.Invalid.
func (tx *Tx) AddRelease(r release.Release, p *pipeline.Plan, run pipeline.Run) error {
	if err := tx.Turn(append(p.Services(), r.Service)...); err != nil {
		return err
	}
	digest := cmp.Or(r.Digest, p.Component.Digest)
	if err := tx.lockDigests(digest, p); err != nil {
		return err
	}
	if r.With == nil {
		r.With = release.ComponentsOf(p)
	}
	components, err := jsonText(r.With)
	if err != nil {
		return err
	}
	plan, err := tx.addPlan(p)
	if err != nil {
		return err
	}
	if r.PlanHash != "" && r.PlanHash != plan {
		return fault.Errorf(fault.Invalid, "add release %s: its plan has the hash %s, not %s", r.ID, plan, r.PlanHash)
	}
	err = tx.writeOr(func(_ int64, err error) error {
		if fault.CodeOf(err) == fault.Conflict {
			return fault.Errorf(fault.Conflict, "release %s exists already", r.ID)
		}
		return err
	}, insertRelease, r.ID, r.Service, r.Version, r.Artifact, r.Digest, r.Author, r.Note,
		plan, r.RollbackTo, r.DrillOf, nanos(r.CreatedAt), r.Definition, components)
	if err != nil {
		return err
	}
	if err := tx.addComponents(r.ID, p); err != nil {
		return err
	}
	return tx.addRun(r.ID, plan, digest, &run)
}

const releaseColumns = `releases.id, releases.service, releases.version, releases.artifact, releases.digest, releases.author,
	releases.note, releases.plan, releases.rollback_to, releases.drill_of, releases.created_at, releases.definition, releases.components`

func releaseInto(r *release.Release) []any {
	return []any{&r.ID, &r.Service, &r.Version, &r.Artifact, &r.Digest, &r.Author,
		&r.Note, &r.PlanHash, &r.RollbackTo, &r.DrillOf, timeInto{&r.CreatedAt}, &r.Definition, jsonInto{&r.With}}
}

const selectRelease = `SELECT ` + releaseColumns + ` FROM releases WHERE id = $1`

// LoadRelease returns the release, or fault.NotFound.
func (tx *Tx) LoadRelease(id string) (release.Release, error) {
	var r release.Release
	found, err := tx.row(releaseInto(&r), selectRelease, id)
	if err == nil && !found {
		return r, noRelease(id)
	}
	return r, err
}

const selectReleases = `SELECT ` + releaseColumns + `, runs.state, runs.environment, runs.ended_at
	FROM releases JOIN runs ON runs.release = releases.id`

// ListReleases returns the newest first, all of them where the filter's Limit is not positive.
func (tx *Tx) ListReleases(f release.Filter) ([]release.Summary, error) {
	together, err := tx.isComponent(f.Service)
	if err != nil {
		return nil, err
	}
	query, args := filtered(f, together)
	var all []release.Summary
	err = tx.rows(func(row rows) error {
		var s release.Summary
		err := row.Scan(append(releaseInto(&s.Release), &s.State, &s.Environment, timeInto{&s.EndedAt})...)
		all = append(all, s)
		return err
	}, query, args...)
	return all, err
}

// filtered names only the conditions that are set, so that each of the few
// combinations is a statement with the right index. Whether a service was released together
// with another one that led is asked before, since few are.
func filtered(f release.Filter, together bool) (string, []any) {
	var conditions []string
	var args []any
	where := func(condition string, arg any) {
		args = append(args, arg)
		conditions = append(conditions, fmt.Sprintf(condition, len(args)))
	}
	switch {
	case together:
		where("(releases.service = $%[1]d OR EXISTS (SELECT 1 FROM components WHERE components.release = releases.id AND components.service = $%[1]d))", f.Service)
	case f.Service != "":
		where("releases.service = $%d", f.Service)
	}
	if f.State != "" {
		where("runs.state = $%d", string(f.State))
	}
	if f.Before != "" {
		where("releases.id < $%d", f.Before)
	}
	query := selectReleases
	if len(conditions) > 0 {
		query += " WHERE " + strings.Join(conditions, " AND ")
	}
	args = append(args, limited(f.Limit))
	return query + fmt.Sprintf(" ORDER BY releases.id DESC LIMIT $%d", len(args)), args
}

const (
	selectNewestLed = `SELECT id FROM releases WHERE service = $1 AND rollback_to = '' AND drill_of = '' ORDER BY id DESC LIMIT 1`
	selectNewestIn  = `SELECT releases.id FROM components JOIN releases ON releases.id = components.release
	WHERE components.service = $1 AND releases.rollback_to = '' AND releases.drill_of = '' ORDER BY components.release DESC LIMIT 1`
)

// NewestOrdinary returns the newest release of the service that neither brought an older one
// back nor was a drill: one that it led, else one in which another led, or "".
func (tx *Tx) NewestOrdinary(service string) (string, error) {
	var id string
	found, err := tx.row([]any{&id}, selectNewestLed, service)
	if err != nil || found {
		return id, err
	}
	_, err = tx.row([]any{&id}, selectNewestIn, service)
	return id, err
}

const selectServices = `SELECT service FROM releases UNION SELECT service FROM components ORDER BY service`

// Services returns the names of all services that ever had a release, sorted.
func (tx *Tx) Services() ([]string, error) { return tx.list(selectServices) }
