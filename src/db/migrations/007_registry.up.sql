-- The registry of models: what is kept, approved and published of what was trained.  Only
-- flow/registry writes here; states and rules stand in src/flow/registry/registry.h.

CREATE TABLE registry_model (
    id          TEXT PRIMARY KEY,
    project_id  TEXT REFERENCES project (id) ON DELETE RESTRICT, -- NULL: the default one
    name        TEXT NOT NULL,              -- a-z 0-9 . _ -, as it stands in URLs
    task        TEXT NOT NULL,
    description TEXT NOT NULL DEFAULT '',
    version_last INTEGER NOT NULL,          -- numbers are never given again
    created_by  TEXT REFERENCES "user" (id) ON DELETE SET NULL,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL
);
CREATE UNIQUE INDEX registry_model_name ON registry_model (coalesce(project_id, ''), name);

-- Origin is written out, so that it can be read when the job is long gone.
CREATE TABLE registry_version (
    model_id        TEXT NOT NULL REFERENCES registry_model (id) ON DELETE RESTRICT,
    number          INTEGER NOT NULL,
    state           TEXT NOT NULL CHECK (state IN
        ('draft', 'evaluated', 'approved', 'live', 'archived')),
    notes           TEXT NOT NULL,
    job_id          TEXT NOT NULL,
    job_name        TEXT NOT NULL,
    framework       TEXT NOT NULL,
    network         TEXT NOT NULL,
    epoch           INTEGER NOT NULL,       -- of the checkpoint
    metric          TEXT NOT NULL,          -- its score while it was trained
    value           REAL,
    goal            TEXT NOT NULL,
    dataset_id      TEXT NOT NULL,
    dataset_name    TEXT NOT NULL,
    dataset_version TEXT NOT NULL,
    config          TEXT NOT NULL,          -- JSON
    engine          TEXT NOT NULL,          -- JSON; '' not told
    weights_sha256  TEXT NOT NULL,          -- the object models/<weights_sha256>
    weights_bytes   INTEGER NOT NULL,
    created_by      TEXT REFERENCES "user" (id) ON DELETE SET NULL,
    created_at      INTEGER NOT NULL,
    approved_by     TEXT REFERENCES "user" (id) ON DELETE SET NULL,
    approved_at     INTEGER,
    updated_at      INTEGER NOT NULL,
    PRIMARY KEY (model_id, number)
);
CREATE UNIQUE INDEX registry_version_weights ON registry_version (model_id, weights_sha256);
CREATE INDEX registry_version_job ON registry_version (job_id);

-- A version scored on a split by a job of kind test.
CREATE TABLE registry_evaluation (
    id              TEXT PRIMARY KEY,
    model_id        TEXT NOT NULL,
    number          INTEGER NOT NULL,
    job_id          TEXT NOT NULL UNIQUE,
    dataset_id      TEXT NOT NULL,
    dataset_name    TEXT NOT NULL,
    dataset_version TEXT NOT NULL,
    split           TEXT NOT NULL,
    status          TEXT NOT NULL CHECK (status IN ('running', 'completed', 'failed', 'cancelled')),
    scores          TEXT NOT NULL DEFAULT '{}', -- JSON: {metric: value}
    error           TEXT NOT NULL DEFAULT '',
    created_by      TEXT REFERENCES "user" (id) ON DELETE SET NULL,
    created_at      INTEGER NOT NULL,
    ended_at        INTEGER,
    FOREIGN KEY (model_id, number) REFERENCES registry_version (model_id, number)
);
CREATE INDEX registry_evaluation_version ON registry_evaluation (model_id, number, created_at);
CREATE INDEX registry_evaluation_open ON registry_evaluation (status) WHERE status = 'running';

-- What was live when: a row from each publication to the next.  The row with ended_at NULL is what
-- the alias names now; before is where a roll back goes.
CREATE TABLE registry_publication (
    id        INTEGER PRIMARY KEY,
    model_id  TEXT NOT NULL,
    alias     TEXT NOT NULL,
    number    INTEGER NOT NULL,
    before    INTEGER REFERENCES registry_publication (id),
    rollback  INTEGER NOT NULL,
    by_id     TEXT REFERENCES "user" (id) ON DELETE SET NULL,
    by_name   TEXT NOT NULL,
    at        INTEGER NOT NULL,
    ended_at  INTEGER,
    FOREIGN KEY (model_id, number) REFERENCES registry_version (model_id, number)
);
CREATE UNIQUE INDEX registry_publication_live ON registry_publication (model_id, alias)
    WHERE ended_at IS NULL;
CREATE INDEX registry_publication_model ON registry_publication (model_id, at);

-- Who did what.  Rows are only ever added: the database itself refuses anything else.
CREATE TABLE registry_event (
    id         INTEGER PRIMARY KEY,
    model_id   TEXT NOT NULL,
    number     INTEGER,                     -- NULL: of the model
    kind       TEXT NOT NULL,
    alias      TEXT NOT NULL,
    from_state TEXT NOT NULL,
    to_state   TEXT NOT NULL,
    other      INTEGER,                     -- the version that was live before
    note       TEXT NOT NULL,
    by_id      TEXT NOT NULL,
    by_name    TEXT NOT NULL,               -- as it was then
    at         INTEGER NOT NULL
);
CREATE INDEX registry_event_model ON registry_event (model_id, id);
CREATE TRIGGER registry_event_no_update BEFORE UPDATE ON registry_event
BEGIN SELECT RAISE(ABORT, 'the history of the registry is append-only'); END;
CREATE TRIGGER registry_event_no_delete BEFORE DELETE ON registry_event
BEGIN SELECT RAISE(ABORT, 'the history of the registry is append-only'); END;

-- project_id '': the default project.
CREATE TABLE registry_policy (
    project_id       TEXT PRIMARY KEY,
    approve_by_other INTEGER NOT NULL CHECK (approve_by_other IN (0, 1))
);

-- A page for visitors without an account.  The token is kept as its SHA-256 only.
CREATE TABLE registry_link (
    id           TEXT PRIMARY KEY,
    model_id     TEXT NOT NULL REFERENCES registry_model (id) ON DELETE RESTRICT,
    alias        TEXT NOT NULL,
    hash         TEXT NOT NULL UNIQUE,
    title        TEXT NOT NULL,
    server       INTEGER NOT NULL,          -- may pictures be sent here
    created_by   TEXT REFERENCES "user" (id) ON DELETE SET NULL,
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL,
    revoked_at   INTEGER,
    visits       INTEGER NOT NULL DEFAULT 0,
    last_used_at INTEGER
);
CREATE INDEX registry_link_model ON registry_link (model_id);
