-- An import may now give a version other classes: one entry a class (flow/dataset/reclass.h).
CREATE TABLE dataset_import_new (
    id           TEXT PRIMARY KEY,
    dataset_id   TEXT NOT NULL REFERENCES dataset (id) ON DELETE CASCADE,
    kind         TEXT NOT NULL CHECK (kind IN ('archive', 'split', 'draft', 'classes')),
    upload_id    TEXT NOT NULL,                 -- archive
    base_version TEXT NOT NULL,                 -- split, draft, classes
    draft_id     TEXT NOT NULL DEFAULT '',      -- draft
    message      TEXT NOT NULL DEFAULT '',
    split        TEXT NOT NULL,                 -- JSON: struct split_spec
    classes      TEXT NOT NULL DEFAULT '',      -- classes: JSON array of names, '' removed
    state        TEXT NOT NULL CHECK (state IN ('queued', 'running', 'done', 'failed')),
    attempt      INTEGER NOT NULL DEFAULT 0,
    phase        TEXT NOT NULL DEFAULT '',
    progress     REAL NOT NULL DEFAULT 0,
    version      TEXT NOT NULL DEFAULT '',
    images       INTEGER NOT NULL DEFAULT 0,
    faults       INTEGER NOT NULL DEFAULT 0,
    error_code   TEXT NOT NULL DEFAULT '',
    error_fault  TEXT NOT NULL DEFAULT '',
    error        TEXT NOT NULL DEFAULT '',
    created_by   TEXT REFERENCES "user" (id) ON DELETE SET NULL,
    created_at   INTEGER NOT NULL,
    started_at   INTEGER,
    ended_at     INTEGER
);
INSERT INTO dataset_import_new (id, dataset_id, kind, upload_id, base_version, draft_id, message,
    split, state, attempt, phase, progress, version, images, faults, error_code, error_fault, error,
    created_by, created_at, started_at, ended_at)
SELECT id, dataset_id, kind, upload_id, base_version, draft_id, message, split, state, attempt,
    phase, progress, version, images, faults, error_code, error_fault, error, created_by,
    created_at, started_at, ended_at FROM dataset_import;
DROP TABLE dataset_import;
ALTER TABLE dataset_import_new RENAME TO dataset_import;
CREATE INDEX dataset_import_state ON dataset_import (state, created_at);
CREATE INDEX dataset_import_dataset ON dataset_import (dataset_id);
