-- A task is for an entry of the release's plan: an environment, or one of its regions.

-- +goose Up
CREATE TABLE entry_tasks (
  release     TEXT NOT NULL REFERENCES releases (id),
  entry       TEXT NOT NULL,
  environment TEXT NOT NULL,
  id          TEXT NOT NULL,
  service     TEXT NOT NULL,
  region      TEXT NOT NULL,
  stage       TEXT NOT NULL,
  undo        INTEGER NOT NULL,
  state       TEXT,
  progress    TEXT,
  hold        TEXT NOT NULL,
  decision    TEXT NOT NULL,
  deadline    INTEGER NOT NULL,
  not_before  INTEGER NOT NULL,
  holder      TEXT NOT NULL,
  fence       INTEGER NOT NULL,
  lease_until INTEGER NOT NULL,
  reported    INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (release, entry)
) STRICT;
INSERT INTO entry_tasks SELECT release, environment, environment, id, service, region, stage, undo, state, progress,
  hold, decision, deadline, not_before, holder, fence, lease_until, reported FROM tasks;
DROP TABLE tasks;
ALTER TABLE entry_tasks RENAME TO tasks;
CREATE INDEX tasks_by_time ON tasks (not_before);
CREATE INDEX tasks_by_holder ON tasks (holder);
