-- Times are nanoseconds since 1970 in UTC, 0 for none. Bodies are JSON text
-- unless said otherwise. Nothing here is read by anything but package store.

-- +goose Up
CREATE TABLE plans (
  hash TEXT PRIMARY KEY,
  body TEXT NOT NULL
) STRICT;

CREATE TABLE releases (
  id          TEXT PRIMARY KEY,
  service     TEXT NOT NULL,
  version     TEXT NOT NULL,
  artifact    TEXT NOT NULL,
  digest      TEXT NOT NULL,
  author      TEXT NOT NULL,
  note        TEXT NOT NULL,
  plan        TEXT NOT NULL REFERENCES plans (hash),
  rollback_to TEXT NOT NULL,
  created_at  INTEGER NOT NULL,
  definition  TEXT NOT NULL
) STRICT;
CREATE INDEX releases_by_service ON releases (service, id);

-- state, environment and ended_at repeat what the body says, for lists; plan and
-- digest repeat the release, so that loading a run is one query.
CREATE TABLE runs (
  release     TEXT PRIMARY KEY REFERENCES releases (id),
  plan        TEXT NOT NULL REFERENCES plans (hash),
  digest      TEXT NOT NULL,
  state       TEXT NOT NULL,
  environment TEXT NOT NULL,
  ended_at    INTEGER NOT NULL,
  wake_at     INTEGER NOT NULL,
  seq         INTEGER NOT NULL,
  hash        TEXT NOT NULL,
  body        TEXT NOT NULL
) STRICT;
CREATE INDEX runs_by_wake ON runs (wake_at) WHERE wake_at > 0;
CREATE INDEX runs_by_digest ON runs (digest);

CREATE TABLE tasks (
  release     TEXT NOT NULL REFERENCES releases (id),
  environment TEXT NOT NULL,
  id          TEXT NOT NULL,
  service     TEXT NOT NULL,
  region      TEXT NOT NULL,
  stage       TEXT NOT NULL,
  undo        INTEGER NOT NULL,
  state       TEXT,
  progress    TEXT,
  hold        TEXT NOT NULL,
  decision    TEXT NOT NULL,
  deadline    INTEGER NOT NULL,
  not_before  INTEGER NOT NULL,
  holder      TEXT NOT NULL,
  fence       INTEGER NOT NULL,
  lease_until INTEGER NOT NULL,
  PRIMARY KEY (release, environment)
) STRICT;
CREATE INDEX tasks_by_time ON tasks (not_before);
CREATE INDEX tasks_by_holder ON tasks (holder);

CREATE TABLE fences (
  target TEXT PRIMARY KEY,
  fence  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE lanes (
  lane        TEXT NOT NULL,
  release     TEXT NOT NULL REFERENCES releases (id),
  environment TEXT NOT NULL,
  position    INTEGER NOT NULL,
  held        INTEGER NOT NULL,
  PRIMARY KEY (lane, release)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX lanes_holder ON lanes (lane) WHERE held = 1;

CREATE TABLE freezes (
  id       TEXT PRIMARY KEY,
  ended_at INTEGER NOT NULL,
  body     TEXT NOT NULL
) STRICT;
CREATE INDEX freezes_in_force ON freezes (id) WHERE ended_at = 0;

CREATE TABLE homes (
  target      TEXT PRIMARY KEY,
  service     TEXT NOT NULL,
  environment TEXT NOT NULL,
  release     TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX homes_by_service ON homes (service);

-- number is the store-wide order. Lines are only ever added.
CREATE TABLE events (
  number      INTEGER PRIMARY KEY,
  release     TEXT NOT NULL,
  seq         INTEGER NOT NULL,
  at          INTEGER NOT NULL,
  kind        TEXT NOT NULL,
  actor       TEXT NOT NULL,
  environment TEXT NOT NULL,
  stage       TEXT NOT NULL,
  text        TEXT NOT NULL,
  data        TEXT,
  previous    TEXT NOT NULL,
  hash        TEXT NOT NULL,
  UNIQUE (release, seq)
) STRICT;

-- A scale is the list of histogram bounds that many points share: 8 bytes each, little endian.
CREATE TABLE scales (
  id     TEXT PRIMARY KEY,
  bounds BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- body is the packed form described in package store.
CREATE TABLE points (
  id          INTEGER PRIMARY KEY,
  release     TEXT NOT NULL REFERENCES releases (id),
  environment TEXT NOT NULL,
  stage       TEXT NOT NULL,
  stable      TEXT REFERENCES scales (id),
  canary      TEXT REFERENCES scales (id),
  body        BLOB NOT NULL
) STRICT;
CREATE INDEX points_by_release ON points (release, environment, id);

CREATE TABLE evidence (
  id     TEXT PRIMARY KEY,
  digest TEXT NOT NULL,
  at     INTEGER NOT NULL,
  body   TEXT NOT NULL
) STRICT;
CREATE INDEX evidence_by_digest ON evidence (digest, at);

CREATE TABLE outbox (
  id         TEXT PRIMARY KEY,
  release    TEXT NOT NULL,
  webhook    TEXT NOT NULL,
  body       TEXT,
  attempts   INTEGER NOT NULL,
  not_before INTEGER NOT NULL
) STRICT;
CREATE INDEX outbox_by_time ON outbox (not_before);

CREATE TABLE idempotency (
  actor   TEXT NOT NULL,
  key     TEXT NOT NULL,
  release TEXT NOT NULL REFERENCES releases (id),
  PRIMARY KEY (actor, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE users (
  name       TEXT PRIMARY KEY,
  roles      TEXT NOT NULL,
  password   TEXT NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE tokens (
  id           TEXT PRIMARY KEY,
  user_name    TEXT NOT NULL REFERENCES users (name),
  name         TEXT NOT NULL,
  hash         TEXT NOT NULL UNIQUE,
  worker       INTEGER NOT NULL,
  environments TEXT NOT NULL,
  created_at   INTEGER NOT NULL,
  expires_at   INTEGER NOT NULL,
  revoked_at   INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX tokens_in_force ON tokens (user_name, name) WHERE revoked_at = 0;

CREATE TABLE sessions (
  hash       TEXT PRIMARY KEY,
  user_name  TEXT NOT NULL REFERENCES users (name),
  csrf       TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_by_expiry ON sessions (expires_at);
