-- What one of all servers does once every so often; until says when it is due again.

-- +goose Up
CREATE TABLE chores (
  name  TEXT PRIMARY KEY,
  until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- +goose Down
DROP TABLE chores;
