-- What goes on is looked for among all that ever did.

-- +goose Up
CREATE INDEX runs_going ON runs (state, release) WHERE ended_at = 0;

-- +goose Down
DROP INDEX runs_going;
