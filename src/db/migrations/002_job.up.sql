-- Jobs and all that their trainers report.  Only flow/job writes here; the state machine and the
-- rules of each column stand in src/flow/job/job.h.

CREATE TABLE job (
    id              TEXT PRIMARY KEY,
    kind            TEXT NOT NULL CHECK (kind IN ('train', 'test')),
    name            TEXT NOT NULL,
    project_id      TEXT REFERENCES project (id) ON DELETE RESTRICT,
    created_by      TEXT REFERENCES "user" (id) ON DELETE SET NULL,
    framework       TEXT NOT NULL,
    model           TEXT NOT NULL,
    dataset_id      TEXT NOT NULL,
    dataset_name    TEXT NOT NULL,              -- as it was called then
    dataset_version TEXT NOT NULL,
    split           TEXT NOT NULL DEFAULT '',   -- test: which
    config          TEXT NOT NULL,              -- JSON: every field of the train spec
    goal            TEXT NOT NULL,
    base_job_id     TEXT,                       -- restarted or resumed from, or tested
    base_checkpoint TEXT NOT NULL DEFAULT '',   -- JSON: struct checkpoint it starts from or scores

    status          TEXT NOT NULL CHECK (status IN
        ('pending', 'queued', 'running', 'completed', 'failed', 'cancelled')),
    attempt         INTEGER NOT NULL DEFAULT 0, -- 0: never started; the current fencing token
    failures        INTEGER NOT NULL DEFAULT 0, -- attempts that were lost or failed retryably
    attempts_max    INTEGER NOT NULL,           -- so many of them end the job
    not_before      INTEGER NOT NULL DEFAULT 0, -- the next attempt waits until then
    waiting_reason  TEXT NOT NULL DEFAULT '',
    priority        INTEGER NOT NULL,
    position        INTEGER NOT NULL,           -- order within a priority

    progress        REAL NOT NULL DEFAULT 0,
    epoch           INTEGER NOT NULL DEFAULT 0,
    epochs          INTEGER NOT NULL DEFAULT 0,
    step            INTEGER NOT NULL DEFAULT 0,
    steps           INTEGER NOT NULL DEFAULT 0,
    message         TEXT NOT NULL DEFAULT '',
    error_code      TEXT NOT NULL DEFAULT '',
    error           TEXT NOT NULL DEFAULT '',
    best_epoch      INTEGER,
    best_metric     TEXT NOT NULL DEFAULT '',
    best_value      REAL,
    weights_sha256  TEXT NOT NULL DEFAULT '',

    tags            TEXT NOT NULL DEFAULT '[]', -- JSON array of text
    notes           TEXT NOT NULL DEFAULT '',
    starred         INTEGER NOT NULL DEFAULT 0,
    event_seq       INTEGER NOT NULL DEFAULT 0, -- last number given to an event or a log line
    created_at      INTEGER NOT NULL,
    queued_at       INTEGER,
    started_at      INTEGER,                    -- of the first attempt
    ended_at        INTEGER,
    updated_at      INTEGER NOT NULL
);
CREATE INDEX job_queue ON job (status, priority DESC, position);
CREATE INDEX job_created ON job (created_at DESC, id DESC);
CREATE INDEX job_dataset ON job (dataset_id);
CREATE INDEX job_project ON job (project_id);

CREATE TABLE job_attempt (
    job_id     TEXT NOT NULL REFERENCES job (id) ON DELETE CASCADE,
    attempt    INTEGER NOT NULL,
    token_hash TEXT NOT NULL UNIQUE,
    trainer    TEXT NOT NULL,                   -- name of the launcher's trainer
    url        TEXT NOT NULL,
    status     TEXT NOT NULL CHECK (status IN
        ('starting', 'running', 'completed', 'failed', 'cancelled', 'lost')),
    last_seq   INTEGER NOT NULL DEFAULT 0,
    lease_at   INTEGER NOT NULL,                -- it is lost after this time
    stop       INTEGER NOT NULL DEFAULT 0,      -- 1: the trainer has still to be told to stop it
    reason     TEXT NOT NULL DEFAULT '',
    created_at INTEGER NOT NULL,
    started_at INTEGER,
    ended_at   INTEGER,
    PRIMARY KEY (job_id, attempt)
);
CREATE INDEX job_attempt_stop ON job_attempt (stop) WHERE stop = 1;

CREATE TABLE job_event (
    job_id TEXT NOT NULL REFERENCES job (id) ON DELETE CASCADE,
    seq    INTEGER NOT NULL,
    kind   TEXT NOT NULL,
    epoch  INTEGER NOT NULL,
    data   TEXT NOT NULL,                       -- JSON
    at     INTEGER NOT NULL,
    PRIMARY KEY (job_id, seq)
);
CREATE INDEX job_event_progress ON job_event (job_id, epoch) WHERE kind = 'progress';

-- Numbered with the events, so that the live feed is one sequence of both.
CREATE TABLE job_log (
    job_id  TEXT NOT NULL REFERENCES job (id) ON DELETE CASCADE,
    seq     INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    level   INTEGER NOT NULL,                   -- 0 debug .. 3 error
    epoch   INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    message TEXT NOT NULL,
    PRIMARY KEY (job_id, seq)
);

-- One value an epoch: an epoch that is run again replaces what it reported before.
CREATE TABLE metric (
    job_id TEXT NOT NULL REFERENCES job (id) ON DELETE CASCADE,
    name   TEXT NOT NULL,
    epoch  INTEGER NOT NULL,
    step   INTEGER NOT NULL,
    value  REAL,                                -- NULL: not a number
    at     INTEGER NOT NULL,
    PRIMARY KEY (job_id, name, epoch)
);

CREATE TABLE checkpoint (
    job_id         TEXT NOT NULL REFERENCES job (id) ON DELETE CASCADE,
    epoch          INTEGER NOT NULL,
    attempt        INTEGER NOT NULL,
    is_best        INTEGER NOT NULL,
    is_last        INTEGER NOT NULL,
    is_periodic    INTEGER NOT NULL,
    metric         TEXT NOT NULL,
    value          REAL,
    weights_key    TEXT NOT NULL,
    weights_sha256 TEXT NOT NULL,
    weights_bytes  INTEGER NOT NULL,
    state_key      TEXT NOT NULL,
    state_sha256   TEXT NOT NULL,
    state_bytes    INTEGER NOT NULL,
    manifest_key   TEXT NOT NULL,
    at             INTEGER NOT NULL,
    superseded_at  INTEGER,                     -- neither best nor last nor periodic any more
    PRIMARY KEY (job_id, epoch)
);
CREATE INDEX checkpoint_superseded ON checkpoint (superseded_at) WHERE superseded_at IS NOT NULL;

CREATE TABLE validation (
    job_id TEXT NOT NULL REFERENCES job (id) ON DELETE CASCADE,
    epoch  INTEGER NOT NULL,
    split  TEXT NOT NULL,
    key    TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    bytes  INTEGER NOT NULL,
    at     INTEGER NOT NULL,
    PRIMARY KEY (job_id, epoch)
);
