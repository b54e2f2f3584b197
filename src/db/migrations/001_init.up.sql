-- People: accounts, sessions, tokens, projects and who belongs to them.
-- Ids are 26 characters (os_id), times Unix milliseconds.  A secret is stored only as the lower-case
-- hexadecimal SHA-256 of it (columns *_hash), a password as an Argon2id string.

CREATE TABLE "user" (
    id            TEXT PRIMARY KEY,
    email         TEXT NOT NULL UNIQUE,          -- lower case
    name          TEXT NOT NULL DEFAULT '',
    password_hash TEXT,                          -- NULL: no log-in by password
    role          TEXT NOT NULL CHECK (role IN ('viewer', 'engineer', 'manager', 'admin')),
    active        INTEGER NOT NULL DEFAULT 1 CHECK (active IN (0, 1)),
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    last_login_at INTEGER
);

-- A log-in.  The access token is short-lived; the refresh token is replaced at each use, and the use
-- of a replaced one ends the session.
CREATE TABLE session (
    id                   TEXT PRIMARY KEY,
    user_id              TEXT NOT NULL REFERENCES "user" (id) ON DELETE CASCADE,
    access_hash          TEXT NOT NULL UNIQUE,
    access_expires_at    INTEGER NOT NULL,
    refresh_hash         TEXT NOT NULL UNIQUE,
    refresh_expires_at   INTEGER NOT NULL,
    refresh_previous_hash TEXT,
    created_at           INTEGER NOT NULL,
    last_used_at         INTEGER NOT NULL,
    ended_at             INTEGER,
    address              TEXT NOT NULL DEFAULT '',
    user_agent           TEXT NOT NULL DEFAULT ''
);
CREATE INDEX session_user ON session (user_id);
CREATE INDEX session_previous ON session (refresh_previous_hash);

CREATE TABLE api_token (
    id           TEXT PRIMARY KEY,
    user_id      TEXT NOT NULL REFERENCES "user" (id) ON DELETE CASCADE,
    name         TEXT NOT NULL,
    hash         TEXT NOT NULL UNIQUE,
    scopes       TEXT NOT NULL,                  -- separated by spaces
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER,                        -- NULL: does not
    last_used_at INTEGER,
    revoked_at   INTEGER
);
CREATE INDEX api_token_user ON api_token (user_id);

-- A link that logs in once.
CREATE TABLE login_link (
    id         TEXT PRIMARY KEY,
    user_id    TEXT NOT NULL REFERENCES "user" (id) ON DELETE CASCADE,
    hash       TEXT NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    used_at    INTEGER
);

CREATE TABLE project (
    id          TEXT PRIMARY KEY,
    name        TEXT NOT NULL,
    description TEXT NOT NULL DEFAULT '',
    created_by  TEXT REFERENCES "user" (id) ON DELETE SET NULL,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL
);
CREATE UNIQUE INDEX project_name ON project (created_by, name);

CREATE TABLE project_member (
    project_id TEXT NOT NULL REFERENCES project (id) ON DELETE CASCADE,
    user_id    TEXT NOT NULL REFERENCES "user" (id) ON DELETE CASCADE,
    role       TEXT NOT NULL CHECK (role IN ('viewer', 'engineer', 'manager', 'owner')),
    created_at INTEGER NOT NULL,
    PRIMARY KEY (project_id, user_id)
);
CREATE INDEX project_member_user ON project_member (user_id);
