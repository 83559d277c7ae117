-- reported is the number of the last report that was taken in under the task's fence.

-- +goose Up
ALTER TABLE tasks ADD COLUMN reported INTEGER NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE tasks DROP COLUMN reported;
