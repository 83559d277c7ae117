package store

import (
	"errors"
	"slices"

	"github.com/jackc/pgx/v5"
)

// Beside the turns, transactions lock what services share: artifacts, by their digests, and the
// freezes. All of them wait in one order:
//
//	turns, by name  ──►  digests, sorted  ──►  the freezes
//
// Who asks for something that comes before what it has does not wait: where somebody else has
// it, it begins anew, and takes the turns and digests that it has ever asked for at once. Nor
// does anybody wait for who stores the same scale of latencies for the first time.

const (
	lockDigest = `SELECT pg_advisory_xact_lock(hashtextextended('digest ' || $1, 0))`
	tryDigest  = `SELECT pg_try_advisory_xact_lock(hashtextextended('digest ' || $1, 0))`
	// To insert a row means to wait for who has just inserted the same, so it takes a lock.
	tryScale = `WITH mine AS (SELECT CASE WHEN NOT EXISTS (SELECT FROM scales WHERE id = $1)
		THEN pg_try_advisory_xact_lock(hashtextextended('scale ' || $1, 0)) END AS got),
	made AS (INSERT INTO scales (id, bounds) SELECT $1, $2 FROM mine WHERE got ON CONFLICT (id) DO NOTHING)
	SELECT got IS NOT FALSE FROM mine`
	// Who changes the freezes has not decided by them before: two of those would wait for each other.
	readFreezes   = `SELECT pg_advisory_xact_lock_shared(7165011483)`
	changeFreezes = `SELECT pg_advisory_xact_lock(7165011483)`
)

// shares is a session beside which others change the same database.
type shares interface {
	// digest keeps others from the artifact.
	digest(digest string)
	// freezes locks them with the statement.
	freezes(lock string)
	// scale stores the scale, and waits for nobody who stores the same.
	scale(id string, bounds []byte)
}

// lockDigest keeps a new fact about an artifact and a new release of it apart, so that
// one of them sees the other, whatever services they belong to.
func (tx *Tx) lockDigest(digest string) error {
	if err := tx.mayWrite(); err != nil {
		return err
	}
	if s, ok := tx.conn.(shares); ok {
		s.digest(digest)
	}
	return nil
}

// lockFreezes locks the freezes: whoever decides by them keeps who changes them waiting until its
// own commit, so that who has changed them sees every lane that was decided about before.
func (tx *Tx) lockFreezes(lock string) error {
	if s, ok := tx.conn.(shares); ok && tx.writable {
		s.freezes(lock)
	}
	return tx.usable()
}

// takeDigests takes those that earlier tries have asked for, after the turns.
func (s *pgSession) takeDigests() {
	slices.Sort(s.wants.digests)
	s.wants.digests = slices.Compact(s.wants.digests)
	for _, digest := range s.wants.digests {
		s.waitFor(digest)
	}
}

func (s *pgSession) digest(digest string) {
	if s.held[ofDigest(digest)] {
		return
	}
	s.wants.digests = append(s.wants.digests, digest)
	if s.decided || digest < s.last {
		s.ask(free, tryDigest, digest)
		s.held[ofDigest(digest)] = true
		return
	}
	s.waitFor(digest)
}

func (s *pgSession) waitFor(digest string) {
	s.queue(ignore, lockDigest, digest)
	s.held[ofDigest(digest)] = true
	s.last = digest
}

func (s *pgSession) scale(id string, bounds []byte) { s.ask(free, tryScale, id, bounds) }

// free asks for another try where somebody else has what is shared.
func free(r pgx.BatchResults) (err error) {
	var got bool
	if err = r.QueryRow().Scan(&got); err == nil && !got {
		return tooOften(errors.New("another transaction is about the same artifact or scale"))
	}
	return err
}

func (s *pgSession) freezes(lock string) {
	if !s.held[lock] {
		s.queue(ignore, lock)
		s.held[lock], s.decided = true, true
	}
}

// ofDigest tells a digest from a service of the same name.
func ofDigest(digest string) string { return "digest " + digest }
