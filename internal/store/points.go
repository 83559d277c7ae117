package store

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strings"

	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/release"
	"github.com/fairwayhq/fairway/internal/stage"
)

const insertPoint = `INSERT INTO points (release, environment, stage, stable, canary, body) VALUES ($1, $2, $3, $4, $5, $6)`

// AppendPoints adds points after those that are there.
func (tx *Tx) AppendPoints(release, environment, stage string, points []stage.Point) error {
	known := make(map[string]bool)
	for _, p := range points {
		stable, err := tx.addScale(p.Sample.Stable.Latency.Bounds, known)
		if err != nil {
			return err
		}
		canary, err := tx.addScale(p.Sample.Canary.Latency.Bounds, known)
		if err != nil {
			return err
		}
		err = tx.writeOr(func(_ int64, err error) error {
			if fault.CodeOf(err) == fault.NotFound {
				return noRelease(release)
			}
			return err
		}, insertPoint, release, environment, stage, stable, canary, packPoint(p))
		if err != nil {
			return err
		}
	}
	return nil
}

const insertScale = `INSERT INTO scales (id, bounds) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING`

// addScale stores the bounds once, whatever the number of points on them, and
// returns the ID to refer to them by, which follows from the bounds; nil where there are none.
func (tx *Tx) addScale(bounds []float64, known map[string]bool) (any, error) {
	if len(bounds) == 0 {
		return nil, nil
	}
	packed := packBounds(bounds)
	sum := sha256.Sum256(packed)
	id := hex.EncodeToString(sum[:16])
	if known[id] {
		return id, nil
	}
	known[id] = true
	if err := tx.mayWrite(); err != nil {
		return nil, err
	}
	if s, ok := tx.conn.(shares); ok {
		s.scale(id, packed)
		return id, nil
	}
	return id, tx.write(insertScale, id, packed)
}

const (
	pointColumns = `points.id, points.environment, points.stage, points.body, stable.bounds, canary.bounds`
	pointTables  = ` FROM points
	LEFT JOIN scales AS stable ON stable.id = points.stable
	LEFT JOIN scales AS canary ON canary.id = points.canary`
	selectPoints = `SELECT ` + pointColumns + pointTables + `
	WHERE points.release = $1 AND points.environment = $2 AND points.id > $3 ORDER BY points.id LIMIT $4`
	selectAllPoints = `SELECT ` + pointColumns + pointTables + `
	WHERE points.release = $1 AND points.id > $2 ORDER BY points.id LIMIT $3`
)

const selectEarlier = `SELECT releases.id FROM releases JOIN runs ON runs.release = releases.id
	WHERE releases.service = $1 AND releases.id < $2 AND runs.state = 'succeeded'
	AND EXISTS (SELECT 1 FROM points WHERE points.release = releases.id AND points.environment = $3)
	ORDER BY releases.id DESC LIMIT $4`

const selectEarlierTogether = `SELECT components.release FROM components JOIN runs ON runs.release = components.release
	WHERE components.service = $1 AND components.release < $2 AND runs.state = 'succeeded'
	AND EXISTS (SELECT 1 FROM points WHERE points.release = components.release AND points.environment = $3)
	ORDER BY components.release DESC LIMIT $4`

// EarlyPoints returns the first points of earlier releases. Where the service was released
// together with others, its entry had another name than where it was alone.
func (tx *Tx) EarlyPoints(before drive.TaskRow, releases, points int) ([][]stage.Point, error) {
	place, _, _ := strings.Cut(before.Entry, ":")
	entries := map[string]string{} // by release
	for query, entry := range map[string]string{selectEarlier: place, selectEarlierTogether: pipeline.EntryName(place, before.Service)} {
		found, err := tx.list(query, before.Service, before.Release, entry, releases)
		if err != nil {
			return nil, err
		}
		for _, id := range found {
			entries[id] = entry
		}
	}
	newest := slices.Sorted(maps.Keys(entries))
	slices.Reverse(newest)
	var all [][]stage.Point
	for _, id := range newest[:min(len(newest), releases)] {
		first, err := tx.FirstPoints(id, entries[id], points)
		if err != nil {
			return nil, err
		}
		all = append(all, first)
	}
	return all, nil
}

// FirstPoints returns the first points of the release in the entry; none where they are damaged,
// since they must not hold up who would learn from them.
func (tx *Tx) FirstPoints(release, entry string, points int) ([]stage.Point, error) {
	loaded, err := tx.LoadPoints(release, entry, 0, points)
	if fault.CodeOf(err) == fault.Internal {
		return nil, nil
	}
	var first []stage.Point
	for _, p := range loaded {
		first = append(first, p.Point)
	}
	return first, err
}

// LoadPoints returns at most limit points of the release in the environment (in
// all of them where it is empty) with an ID above after, in the order in which they were added.
func (tx *Tx) LoadPoints(id, environment string, after int64, limit int) ([]release.SampledPoint, error) {
	query, args := selectPoints, []any{id, environment, after, limited(limit)}
	if environment == "" {
		query, args = selectAllPoints, []any{id, after, limited(limit)}
	}
	var all []release.SampledPoint
	err := tx.rows(func(r rows) error {
		var p release.SampledPoint
		var body, stable, canary []byte
		err := r.Scan(&p.ID, &p.Environment, &p.Stage, &body, &stable, &canary)
		if err != nil {
			return err
		}
		p.Point, err = unpackPoint(body, unpackBounds(stable), unpackBounds(canary))
		all = append(all, p)
		return err
	}, query, args...)
	return all, err
}
