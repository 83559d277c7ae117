-- Where the file was imported into a PostgreSQL database: which one, when, and whether the
-- import is known to have ended. One row, or none.

-- +goose Up
CREATE TABLE moved (
  id    INTEGER PRIMARY KEY CHECK (id = 1),
  place TEXT NOT NULL,
  at    INTEGER NOT NULL,
  ended INTEGER NOT NULL
) STRICT;

-- +goose Down
DROP TABLE moved;
