-- A task is for an entry of the release's plan: an environment, or one of its regions.

-- +goose Up
ALTER TABLE tasks ADD COLUMN entry TEXT COLLATE "C";
UPDATE tasks SET entry = environment;
ALTER TABLE tasks ALTER COLUMN entry SET NOT NULL;
ALTER TABLE tasks DROP CONSTRAINT tasks_pkey;
ALTER TABLE tasks ADD PRIMARY KEY (release, entry);

-- +goose Down
ALTER TABLE tasks DROP CONSTRAINT tasks_pkey;
ALTER TABLE tasks ADD PRIMARY KEY (release, environment);
ALTER TABLE tasks DROP COLUMN entry;
