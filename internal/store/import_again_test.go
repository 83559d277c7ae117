package store_test

import (
	"context"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/store"
	"github.com/fairwayhq/fairway/test/postgres"
)

// marked is the mark of a file: where it was imported to, and whether that has ended.
func marked(t *testing.T, file string) (mark string) {
	t.Helper()
	db := store.Raw(t, file)
	defer func() { _ = db.Close() }()
	must(t, db.QueryRowContext(t.Context(), "SELECT coalesce(max(place || ', ended: ' || ended), '') FROM moved").Scan(&mark))
	return mark
}

// breakOff gives the file the mark that an import has left when its process was killed at
// its last step.
func breakOff(t *testing.T, file, place string) {
	t.Helper()
	db := store.Raw(t, file)
	defer func() { _ = db.Close() }()
	_, err := db.ExecContext(t.Context(), `INSERT INTO moved (id, place, at, ended) VALUES (1, ?, ?, 0)
		ON CONFLICT (id) DO UPDATE SET place = excluded.place, ended = 0`, place, day.UnixNano())
	must(t, err)
}

// placeOf is how a mark names the database.
func placeOf(t *testing.T, server *postgres.Server, name string) string {
	t.Helper()
	port := 0
	must(t, server.Scan(t.Context(), server.URL(name), &port, "SELECT current_setting('port')::int"))
	return fmt.Sprintf("the database %s at 127.0.0.1:%d", name, port)
}

// countIn counts the rows of a table by a way of its own.
func countIn(t *testing.T, server *postgres.Server, name, table string) (n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := server.Scan(ctx, server.URL(name), &n, "SELECT count(*) FROM "+table); err != nil {
		t.Error(err)
	}
	return n
}

func refusedAsBrokenOff(t *testing.T, what string, err error, place string) {
	t.Helper()
	if fault.CodeOf(err) != fault.Conflict || !strings.Contains(err.Error(), "into the database "+place) ||
		!strings.Contains(err.Error(), "was broken off") || !strings.Contains(fault.HintOf(err), "--take-back") {
		t.Errorf("%s: %v (%s), want a conflict that says into what the import was broken off, and what to do", what, err, fault.HintOf(err))
	}
}

func TestAnImportWhoseLastAnswerWasLostIsEndedByTheNextOne(t *testing.T) {
	server := postgres.ForTest(t, "fsync=off")
	first, direct := database(t, server)
	_, other := database(t, server)
	u, err := url.Parse(direct)
	must(t, err)
	w := newWire(t, u.Host)
	st, elsewhere := openPostgres(t, w.through(t, direct)), openPostgres(t, other)
	file := fullOfAll(t)

	commit := "commit\x00"
	w.deafAt.Store(&commit)
	go func() {
		waitFor(t, "the commit", func() bool { return countIn(t, server, first, "releases") > 0 })
		w.cut()
		w.deaf.Store(false)
	}()
	_, err = st.Import(t.Context(), file)
	w.deafAt.Store(nil)
	if fault.CodeOf(err) != fault.Unavailable || !strings.Contains(fault.HintOf(err), "run the import again") {
		t.Fatalf("an import that did not hear how it ended: %v (%s)", err, fault.HintOf(err))
	}

	_, err = store.Open(t.Context(), store.Config{Path: file})
	refusedAsBrokenOff(t, "a server on the file", err, first)
	_, err = elsewhere.Import(t.Context(), file)
	refusedAsBrokenOff(t, "an import into another database", err, first)
	if n := countIn(t, server, first, "releases"); n != 6 {
		t.Errorf("the first database has %d releases", n)
	}
	// Nobody can tell whether another address leads to another database that has it all.
	_, err = openPostgres(t, direct).Import(t.Context(), file)
	refusedAsBrokenOff(t, "an import by another address", err, first)
	if !strings.Contains(fault.HintOf(err), "two addresses") {
		t.Errorf("the hint is %q", fault.HintOf(err))
	}
	got, err := openPostgres(t, w.through(t, direct)).Import(t.Context(), file)
	if err != nil || !got.Before || got.Releases != 6 || got.Lines != 20 {
		t.Errorf("the import again: %+v, %v; want that all is there already", got, err)
	}
	if mark := marked(t, file); !strings.HasSuffix(mark, ", ended: 1") {
		t.Errorf("the file is marked %q", mark)
	}
}

func TestAnImportThatWasBrokenOffBeforeItsCommitIsDoneAgainInTheSamePlaceOnly(t *testing.T) {
	server := postgres.ForTest(t, "fsync=off")
	first, url := database(t, server)
	_, other := database(t, server)
	file := fullOfAll(t)
	breakOff(t, file, placeOf(t, server, first))

	_, err := openPostgres(t, other).Import(t.Context(), file)
	refusedAsBrokenOff(t, "an import into another database", err, first)
	got, err := openPostgres(t, url).Import(t.Context(), file)
	if err != nil || got.Before || got.Releases != 6 {
		t.Errorf("an import into the same one: %+v, %v", got, err)
	}
	if mark := marked(t, file); mark != placeOf(t, server, first)+", ended: 1" {
		t.Errorf("the file is marked %q", mark)
	}
}

// Who has heard nothing may have started the servers there.
func TestAnImportIsEndedAlsoWhereServersHaveGoneOn(t *testing.T) {
	server := postgres.ForTest(t, "fsync=off")
	name, url := database(t, server)
	st, file := openPostgres(t, url), fullOfAll(t)
	_, err := st.Import(t.Context(), file)
	must(t, err)
	must(t, addLine(t.Context(), st, "r0", "gone on"))
	breakOff(t, file, placeOf(t, server, name))

	got, err := st.Import(t.Context(), file)
	if err != nil || !got.Before || got.Releases != 6 || got.Lines != 20 {
		t.Errorf("the import again: %+v, %v; want that all is there already", got, err)
	}
	if mark := marked(t, file); mark != placeOf(t, server, name)+", ended: 1" {
		t.Errorf("the file is marked %q", mark)
	}
}

// A rehearsal leaves a database that has everything, but is not the one that servers go on with.
func TestAnImportIsNotTakenForEndedByARehearsalElsewhere(t *testing.T) {
	server := postgres.ForTest(t, "fsync=off")
	first, _ := database(t, server)
	_, other := database(t, server)
	rehearsed, file := openPostgres(t, other), fullOfAll(t)
	_, err := rehearsed.Import(t.Context(), file)
	must(t, err)
	_, err = store.TakeBack(t.Context(), file)
	must(t, err)
	breakOff(t, file, placeOf(t, server, first))

	got, err := rehearsed.Import(t.Context(), file)
	refusedAsBrokenOff(t, "an import into the rehearsal's", err, first)
	if got.Before || !strings.Contains(fault.HintOf(err), "two addresses") {
		t.Errorf("it says %+v, hint %q", got, fault.HintOf(err))
	}
	if mark := marked(t, file); mark != placeOf(t, server, first)+", ended: 0" {
		t.Errorf("the file is marked %q", mark)
	}
}

func TestAnImportIsNotTakenForEndedByWhatOthersHave(t *testing.T) {
	server := postgres.ForTest(t, "fsync=off")
	for what, into := range map[string]func(t *testing.T, st *store.Postgres){
		"another server's": func(t *testing.T, st *store.Postgres) { addReleaseOf(t, st, "x", "shop") },
		"only a part": func(t *testing.T, st *store.Postgres) {
			_, err := st.Import(t.Context(), fullOfAll(t))
			must(t, err)
		},
	} {
		t.Run(what, func(t *testing.T) {
			name, url := database(t, server)
			st, file := openPostgres(t, url), fullOfAll(t)
			must(t, shipped(t.Context(), opensAt(t, file), "later", 3))
			file = closedCopy(t, file)
			into(t, st)
			breakOff(t, file, placeOf(t, server, name))
			_, err := st.Import(t.Context(), file)
			if fault.CodeOf(err) != fault.Conflict || !strings.Contains(err.Error(), "not empty") || !strings.Contains(fault.HintOf(err), "--take-back") {
				t.Errorf("an import into it: %v (%s), want a conflict that says how to let go of it", err, fault.HintOf(err))
			}
			if mark := marked(t, file); mark != placeOf(t, server, name)+", ended: 0" {
				t.Errorf("the file is marked %q", mark)
			}
		})
	}
}

func closedCopy(t *testing.T, file string) (copied string) {
	t.Helper()
	copied = filepath.Join(t.TempDir(), "copy.db")
	_, err := store.Backup(t.Context(), file, copied)
	must(t, err)
	return copied
}

func TestACommitThatIsRefusedLeavesTheMarkThatWasThere(t *testing.T) {
	server := postgres.ForTest(t, "fsync=off")
	for former, want := range map[string]string{"": "", "broken off before": ", ended: 0"} {
		t.Run(former, func(t *testing.T) {
			name, url := database(t, server)
			st, file := openPostgres(t, url), fullOfAll(t)
			place := placeOf(t, server, name)
			if former != "" {
				breakOff(t, file, place)
				want = place + want
			}
			must(t, server.Exec(name, `CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''not today''; END';
				CREATE CONSTRAINT TRIGGER no AFTER INSERT ON users DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION no()`))
			if _, err := st.Import(t.Context(), file); err == nil || !strings.Contains(err.Error(), "not today") {
				t.Fatalf("the import: %v", err)
			}
			if n := countIn(t, server, name, "releases"); n != 0 {
				t.Errorf("it left %d releases", n)
			}
			if mark := marked(t, file); mark != want {
				t.Errorf("the file is marked %q, want %q", mark, want)
			}
		})
	}
}
