package store_test

import (
	"testing"

	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/store"
)

// beforeEntries is the table of tasks as it was, with one task in it.
const beforeEntries = `DROP TABLE tasks;
CREATE TABLE tasks (
  release TEXT NOT NULL REFERENCES releases (id), environment TEXT NOT NULL, id TEXT NOT NULL, service TEXT NOT NULL,
  region TEXT NOT NULL, stage TEXT NOT NULL, undo INTEGER NOT NULL, state TEXT, progress TEXT, hold TEXT NOT NULL,
  decision TEXT NOT NULL, deadline INTEGER NOT NULL, not_before INTEGER NOT NULL, holder TEXT NOT NULL, fence INTEGER NOT NULL,
  lease_until INTEGER NOT NULL, reported INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (release, environment)
) STRICT;
CREATE INDEX tasks_by_time ON tasks (not_before);
CREATE INDEX tasks_by_holder ON tasks (holder);
INSERT INTO tasks VALUES ('r1', 'staging', 't1', 'shop', 'eu', 'canary', 1, '{"level":1}', NULL, 'frozen', '', 0, 0, 'w1', 3, 0, 8);
DELETE FROM goose_db_version WHERE version_id = 9;`

func TestATaskOfAnEarlierServerIsGoneOnWith(t *testing.T) {
	path := filled(t)
	rawExec(t, path, beforeEntries)
	st := openAt(t, path)
	var row drive.TaskRow
	err := st.View(t.Context(), func(tx *store.Tx) (err error) {
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
