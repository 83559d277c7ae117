-- Which tasks run a command on their worker's machine, and of which users have got something
-- by an earlier stage. What stands in the table counts as neither. Servers of the version before
-- leave both as they are, those of the stage before; a lease by a newer one looks the first up.

-- +goose Up
ALTER TABLE tasks ADD COLUMN job INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tasks ADD COLUMN exposed INTEGER NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE tasks DROP COLUMN exposed;
ALTER TABLE tasks DROP COLUMN job;
