-- Signs of life name tasks by their IDs; and of ten thousand tasks most are leased, so who
-- looks for free ones goes by the leases.

-- +goose Up
CREATE INDEX tasks_by_id ON tasks (id);
CREATE INDEX tasks_by_lease ON tasks (lease_until);
DROP INDEX tasks_by_time;

-- +goose Down
CREATE INDEX tasks_by_time ON tasks (not_before);
DROP INDEX tasks_by_lease;
DROP INDEX tasks_by_id;
