-- What one of all servers does once every so often; until says when it is due again.

-- +goose Up
CREATE TABLE chores (
  name  TEXT COLLATE "C" PRIMARY KEY,
  until BIGINT NOT NULL
);

-- Inquiries that wait for a worker, which may listen at another server, and the workers
-- that listen. They may be lost with the database's memory.
CREATE UNLOGGED TABLE inquiries (
  id       TEXT COLLATE "C" PRIMARY KEY,
  question TEXT NOT NULL,
  answer   TEXT,
  at       BIGINT NOT NULL,
  leased   BIGINT NOT NULL
);
CREATE UNLOGGED TABLE listeners (
  worker TEXT COLLATE "C" PRIMARY KEY,
  wish   TEXT NOT NULL,
  seen   BIGINT NOT NULL
);

-- +goose Down
DROP TABLE listeners;
DROP TABLE inquiries;
DROP TABLE chores;
