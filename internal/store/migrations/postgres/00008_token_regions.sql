-- The regions that a worker's token is bound to; none means all.

-- +goose Up
ALTER TABLE tokens ADD COLUMN regions TEXT NOT NULL DEFAULT 'null';

-- +goose Down
ALTER TABLE tokens DROP COLUMN regions;
