package store

import (
	"errors"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/fairwayhq/fairway/internal/fault"
)

// A transaction waits only for the turns that it takes first, in one statement and sorted. It
// may find that it needs more: a release that gives its lanes back grants one to a release
// that has another service too. Two that wait for each other would lock each other out until
// PostgreSQL notices, so who holds turns does not wait for one that is taken, and makes none that
// is not there yet: it begins anew, and takes all that it has ever asked for at once.

// wanted are the turns, and the digests, that the tries of one update have asked for.
type wanted struct{ services, releases, digests []string }

const (
	turnsOfRelease    = `SELECT service FROM releases WHERE id = $1 UNION ALL SELECT service FROM components WHERE release = $1`
	lockTurnOfRelease = `SELECT FROM turns WHERE name IN (` + turnsOfRelease + `) ORDER BY name FOR UPDATE`
	insertTurns       = `INSERT INTO turns (name) SELECT unnest($1::text[]) ON CONFLICT (name) DO NOTHING`
	lockTurns         = `SELECT FROM turns WHERE name = ANY($1) ORDER BY name FOR UPDATE`
	lockWantedTurns   = `SELECT FROM turns WHERE name = ANY($1)
	OR name IN (SELECT service FROM releases WHERE id = ANY($2) UNION ALL SELECT service FROM components WHERE release = ANY($2))
	ORDER BY name FOR UPDATE`
	noWait = ` NOWAIT`
)

// takeAll takes what earlier tries have asked for, before anything else.
func (s *pgSession) takeAll(wants *wanted) {
	s.wants = wants
	// Each try adds names at the end, and who makes turns waits for who makes the same.
	slices.Sort(wants.services)
	wants.services = slices.Compact(wants.services)
	if len(wants.services) > 0 {
		s.queue(ignore, insertTurns, slices.Clone(wants.services))
	}
	if len(wants.services)+len(wants.releases) > 0 {
		s.queue(ignore, lockWantedTurns, slices.Clone(wants.services), slices.Clone(wants.releases))
	}
	for _, name := range wants.services {
		s.held[name] = true
	}
	for _, id := range wants.releases {
		s.took(id)
	}
	s.takeDigests()
}

func (s *pgSession) turns(release string, services []string) error {
	if release != "" {
		if !s.held[ofRelease(release)] {
			s.wants.releases = append(s.wants.releases, release)
			if len(s.held) == 0 {
				s.queue(ignore, lockTurnOfRelease, release)
			} else {
				s.queue(busy, lockTurnOfRelease+noWait, release)
			}
			s.took(release)
		}
		return nil
	}
	services = slices.Compact(slices.Sorted(slices.Values(services)))
	services = slices.DeleteFunc(services, func(name string) bool { return s.held[name] })
	if len(services) == 0 {
		return nil
	}
	s.wants.services = append(s.wants.services, services...)
	if len(s.held) == 0 {
		s.queue(ignore, insertTurns, services)
		s.queue(ignore, lockTurns, services)
	} else {
		s.queue(busyOrMissing(len(services)), lockTurns+noWait, services)
	}
	for _, name := range services {
		s.held[name] = true
	}
	return nil
}

// busy asks for another try where somebody else has the turn.
func busy(r pgx.BatchResults) error {
	_, err := taken(r)
	return err
}

// busyOrMissing is busy, also where not all turns are there: to make one means to wait for who
// makes the same just now.
func busyOrMissing(want int) func(pgx.BatchResults) error {
	return func(r pgx.BatchResults) error {
		got, err := taken(r)
		if err == nil && got < int64(want) {
			return tooOften(errors.New("a turn is not there yet"))
		}
		return err
	}
}

// taken is how many turns were taken.
func taken(r pgx.BatchResults) (int64, error) {
	tag, err := r.Exec()
	var said *pgconn.PgError
	if errors.As(err, &said) && said.Code == "55P03" {
		return 0, tooOften(err)
	}
	return tag.RowsAffected(), err
}

func tooOften(err error) error {
	return errors.Join(fault.Errorf(fault.Unavailable, "others changed the same things too often: %w", err).WithHint("try again"), errAgain)
}

func (s *pgSession) took(release string) { s.held[ofRelease(release)] = true }

// ofRelease tells a release from a service of the same name.
func ofRelease(id string) string { return "release " + id }
