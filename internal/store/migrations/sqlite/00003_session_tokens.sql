-- +goose Up
-- The token that a session was opened with; '' where it was a password. Of older
-- sessions nobody knows it, so they end.
DELETE FROM sessions;
ALTER TABLE sessions ADD COLUMN token TEXT NOT NULL DEFAULT '';
CREATE INDEX sessions_by_user ON sessions (user_name);

-- +goose Down
DROP INDEX sessions_by_user;
ALTER TABLE sessions DROP COLUMN token;
