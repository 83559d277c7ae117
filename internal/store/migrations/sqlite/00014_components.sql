-- A release of several services: in the release the others as they are shown, and in a table
-- of its own all of them by their names and digests.

-- +goose Up
ALTER TABLE releases ADD COLUMN components TEXT NOT NULL DEFAULT 'null';
CREATE TABLE components (
  release TEXT NOT NULL REFERENCES releases (id),
  service TEXT NOT NULL,
  digest  TEXT NOT NULL,
  PRIMARY KEY (release, service)
) STRICT, WITHOUT ROWID;
CREATE INDEX components_by_service ON components (service, release);
CREATE INDEX components_by_digest ON components (digest);

-- +goose Down
DROP TABLE components;
ALTER TABLE releases DROP COLUMN components;
