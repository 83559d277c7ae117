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
	lockTurnOfRelease = `SELECT name FROM turns WHERE name IN (` + turnsOfRelease + `) ORDER BY name FOR UPDATE`
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
			s.lockRelease(release)
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
	}
	s.lock(all(len(services)), lockTurns, services)
	for _, name := range services {
		s.held[name] = true
	}
	return nil
}

// mostServicesKnown is of how many releases a server remembers the services.
const mostServicesKnown = 4096

// lockRelease takes the turns of the release's services. Which they are is asked once: they
// never change, and to look them up costs more than the lock.
func (s *pgSession) lockRelease(release string) {
	if known, ok := s.services.Get(release); ok {
		s.lock(ignore, lockTurns, known)
		return
	}
	s.lock(func(r pgx.BatchResults) error {
		found, err := r.Query()
		if err != nil {
			return err
		}
		names, err := pgx.CollectRows(found, pgx.RowTo[string])
		if err == nil && len(names) > 0 { // else there is no such release yet
			s.services.Add(release, names)
		}
		return err
	}, lockTurnOfRelease, release)
}

// lock waits for turns where nothing is held; else it asks for another try where one is taken.
func (s *pgSession) lock(done func(pgx.BatchResults) error, query string, of any) {
	if len(s.held) == 0 {
		s.queue(done, query, of)
		return
	}
	s.ask(orAgain(done), query+noWait, of)
}

func orAgain(done func(pgx.BatchResults) error) func(pgx.BatchResults) error {
	return func(r pgx.BatchResults) error {
		err := done(r)
		var said *pgconn.PgError
		if errors.As(err, &said) && said.Code == "55P03" {
			return tooOften(err)
		}
		return err
	}
}

// all asks for another try where not all of the turns are there: to make one means to wait for
// who makes the same just now.
func all(want int) func(pgx.BatchResults) error {
	return func(r pgx.BatchResults) error {
		tag, err := r.Exec()
		if err == nil && tag.RowsAffected() < int64(want) {
			return tooOften(errors.New("a turn is not there yet"))
		}
		return err
	}
}

func tooOften(err error) error {
	return errors.Join(fault.Errorf(fault.Unavailable, "others changed the same things too often: %w", err).WithHint("try again"), errAgain)
}

func (s *pgSession) took(release string) { s.held[ofRelease(release)] = true }

// ofRelease tells a release from a service of the same name.
func ofRelease(id string) string { return "release " + id }
