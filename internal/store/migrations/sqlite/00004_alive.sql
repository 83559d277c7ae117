-- The one row says when a server was last known to be alive.

-- +goose Up
CREATE TABLE alive (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  at  INTEGER NOT NULL
) STRICT;

-- +goose Down
DROP TABLE alive;
