-- What was last seen of what has drifted in a lane.

-- +goose Up
CREATE TABLE drifts (
  lane    TEXT PRIMARY KEY,
  release TEXT NOT NULL,
  hash    TEXT NOT NULL,
  count   INTEGER NOT NULL,
  fields  TEXT NOT NULL,
  since   INTEGER NOT NULL,
  at      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- +goose Down
DROP TABLE drifts;
