package store_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/pressly/goose/v3"

	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/store"
)

// taskOfThen is a task as it was stored before tasks had entries, with what it refers to.
const taskOfThen = `INSERT INTO plans VALUES ('p', '{}');
INSERT INTO releases (id, service, version, artifact, digest, author, note, plan, rollback_to, created_at, definition)
	VALUES ('r1', 'shop', '', '', '', '', '', 'p', '', 0, '');
INSERT INTO tasks VALUES ('r1', 'staging', 't1', 'shop', 'eu', 'canary', 1, '{"level":1}', NULL, 'frozen', '', 0, 0, 'w1', 3, 0, 8);`

func TestATaskOfAnEarlierServerIsGoneOnWith(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fairway.db")
	db := store.Raw(t, path)
	earlier, err := goose.NewProvider(goose.DialectSQLite3, db, os.DirFS("migrations/sqlite"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := earlier.UpTo(t.Context(), 7); err != nil {
		t.Fatal(err)
	}
	if err := earlier.Close(); err != nil {
		t.Fatal(err)
	}
	rawExec(t, path, taskOfThen)
	st := openAt(t, path)
	var row drive.TaskRow
	err = st.View(t.Context(), func(tx *store.Tx) (err error) {
		row, err = tx.LoadTask("r1", "staging")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if row.Entry != "staging" || row.Environment != "staging" || row.Region != "eu" || row.Stage != "canary" || !row.Undo ||
		row.Fence != 3 || row.Reported != 8 || row.Hold != "frozen" || string(row.State) != `{"level":1}` {
		t.Errorf("it came back as %+v", row)
	}
}
