-- Which tasks run a command on their worker's machine, and of which users have got something
-- by an earlier stage. What stands in the table counts as neither. Servers of the version before do
-- not write them, so they may tell of the stage before, until a newer server leases the task.

-- +goose Up
ALTER TABLE tasks ADD COLUMN job INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tasks ADD COLUMN exposed INTEGER NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE tasks DROP COLUMN exposed;
ALTER TABLE tasks DROP COLUMN job;
