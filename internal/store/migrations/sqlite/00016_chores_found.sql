-- When a chore was last done to its end, by whichever server, and what it found. The ledger
-- counts as not verified yet, so that it soon is.

-- +goose Up
ALTER TABLE chores ADD COLUMN done INTEGER NOT NULL DEFAULT 0;
ALTER TABLE chores ADD COLUMN found INTEGER NOT NULL DEFAULT 0;
DELETE FROM chores WHERE name = 'verify the ledger';

-- +goose Down
ALTER TABLE chores DROP COLUMN found;
ALTER TABLE chores DROP COLUMN done;
