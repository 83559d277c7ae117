-- Only a file is marked as imported, so that PostgreSQL has no table for it.

-- +goose Up
SELECT 1;

-- +goose Down
SELECT 1;
