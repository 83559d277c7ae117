-- What one of all servers does once every so often; until says when it is due again.

-- +goose Up
CREATE TABLE chores (
  name  TEXT COLLATE "C" PRIMARY KEY,
  until BIGINT NOT NULL
);

-- +goose Down
DROP TABLE chores;
