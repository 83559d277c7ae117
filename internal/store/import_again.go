package store

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/fairwayhq/fairway/internal/fault"
)

// endedIn is about a database that is not empty. Where an import of the file was broken off,
// into this very place, and all that the file has is there, that import has ended well, and the
// file is told.
func (from source) endedIn(ctx context.Context, tx pgx.Tx) (Imported, error) {
	all := false
	if from.former != nil {
		var err error
		if all, err = from.isAllIn(ctx, tx); err != nil {
			return Imported{}, err
		}
	}
	switch place := placeOf(tx); {
	case !all:
		return Imported{}, from.notEmpty(place)
	case from.former.place != place:
		return Imported{}, from.hasItToo(place)
	}
	got := Imported{Releases: int64(from.found.Releases), Lines: from.found.Lines, Before: true}
	return got, from.ended(ctx, move{place: placeOf(tx), at: from.former.at})
}

// hasItToo is about another place that has everything: that of a rehearsal, or the same
// database under another address, which nobody can tell from here.
func (from source) hasItToo(place string) error {
	err := from.former.refuses(from.file)
	return fault.Errorf(fault.CodeOf(err), "%w; %s has everything, too", err, place).
		WithHint("if both are one database under two addresses, the import has ended: start the servers on it; none will start on the file. "+
			"If they are two, run the import again into %s, under that address; "+
			"`fairway server import --take-back --from %s` makes the file as it was before", from.former.place, from.file)
}

func (from source) notEmpty(place string) error {
	err := fault.Errorf(fault.Conflict, "the database is not empty: a server has used it, or something was imported already")
	switch {
	case from.former == nil:
		return err.WithHint("import into a new database, before the first server is started on it")
	case from.former.place != place:
		return from.former.refuses(from.file)
	}
	return err.WithHint("it has not all that the file has, so what is there is not what the import that was broken off would have brought; "+
		"`fairway server import --take-back --from %s` makes the file as it was before", from.file)
}

// Servers may have gone on there since, so that a run is further than the file knows: its
// chain then goes through the head that it had.
const (
	countHeadsThere = `SELECT count(*) FROM unnest($1::text[], $2::bigint[], $3::text[]) AS file (release, seq, hash)
		WHERE EXISTS (SELECT FROM runs WHERE runs.release = file.release AND (file.seq = 0 OR runs.seq = file.seq AND runs.hash = file.hash))
		OR EXISTS (SELECT FROM events WHERE events.release = file.release AND events.seq = file.seq AND events.hash = file.hash)`
	selectUserMarks = `SELECT name || ' ' || created_at FROM users`
	countUsersThere = `SELECT count(*) FROM users WHERE name || ' ' || created_at = ANY($1)`
)

// isAllIn tells whether every release of the file is in the database, with the history that it
// has in the file, and every user. A file with neither proves nothing.
func (from source) isAllIn(ctx context.Context, tx pgx.Tx) (bool, error) {
	heads, err := headsOf(ctx, from.db)
	if err != nil {
		return false, translate(err)
	}
	users, err := column(ctx, from.db, selectUserMarks)
	if err != nil {
		return false, translate(err)
	}
	var releases, hashes []string
	var seqs []int64
	for release, head := range heads {
		releases, seqs, hashes = append(releases, release), append(seqs, head.Seq), append(hashes, head.Hash)
	}
	var headsThere, usersThere int
	if err := tx.QueryRow(ctx, countHeadsThere, releases, seqs, hashes).Scan(&headsThere); err != nil {
		return false, postgresFault(err)
	}
	if err := tx.QueryRow(ctx, countUsersThere, users).Scan(&usersThere); err != nil {
		return false, postgresFault(err)
	}
	some := len(heads)+len(users) > 0
	return some && headsThere == len(heads) && usersThere == len(users), nil
}
