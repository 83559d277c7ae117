-- What was last seen of where a lane is not as its repository says.

-- +goose Up
ALTER TABLE drifts ADD COLUMN git TEXT NOT NULL DEFAULT 'null';

-- +goose Down
ALTER TABLE drifts DROP COLUMN git;
