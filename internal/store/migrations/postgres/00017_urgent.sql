-- Which tasks run a command on their worker's machine, and of which users have got something
-- by an earlier stage. What stands in the table counts as neither. Servers of the version before do
-- not write them, so they may tell of the stage before, until a newer server leases the task.

-- +goose Up
ALTER TABLE tasks ADD COLUMN job BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE tasks ADD COLUMN exposed BOOLEAN NOT NULL DEFAULT FALSE;

-- +goose Down
ALTER TABLE tasks DROP COLUMN exposed;
ALTER TABLE tasks DROP COLUMN job;
