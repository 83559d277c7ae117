-- +goose Up
-- drill_of repeats what the plan says, for lists.
ALTER TABLE releases ADD COLUMN drill_of TEXT NOT NULL DEFAULT '';
UPDATE releases SET drill_of = coalesce((SELECT json_extract(body, '$.drill.of') FROM plans WHERE hash = releases.plan), '');
