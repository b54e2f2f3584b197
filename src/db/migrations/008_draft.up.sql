-- Drafts: labels that people are changing on top of a version.  Only flow/dataset writes here.
-- A dataset has at most one open draft, shared by all who may label.  Each change of a picture
-- carries the revision that its author saw, so nobody overwrites what they have not seen.

CREATE TABLE dataset_draft (
    id           TEXT PRIMARY KEY,
    dataset_id   TEXT NOT NULL REFERENCES dataset (id) ON DELETE CASCADE,
    base_version TEXT NOT NULL,                 -- SHA-256
    content_id   INTEGER NOT NULL REFERENCES dataset_content (id) ON DELETE RESTRICT,
    state        TEXT NOT NULL CHECK (state IN ('open', 'committing', 'committed', 'discarded')),
    task         TEXT NOT NULL,
    classes      TEXT NOT NULL,                 -- JSON array of names; grows, is never reordered
    revision     INTEGER NOT NULL,              -- counts the changes of task and classes
    created_by   TEXT REFERENCES "user" (id) ON DELETE SET NULL,
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL
);
CREATE UNIQUE INDEX dataset_draft_open ON dataset_draft (dataset_id)
    WHERE state IN ('open', 'committing');

CREATE TABLE dataset_draft_edit (
    draft_id   TEXT NOT NULL REFERENCES dataset_draft (id) ON DELETE CASCADE,
    idx        INTEGER NOT NULL,                -- of the picture in the base version
    revision   INTEGER NOT NULL,                -- 1, 2, .. of this picture; never goes back
    state      TEXT NOT NULL CHECK (state IN ('edited', 'suggested', 'reverted')),
    label      INTEGER NOT NULL,                -- -1: none
    shapes     TEXT NOT NULL,                   -- JSON: boxes, polygons, quads; '' none
    scores     TEXT NOT NULL,                   -- suggested: JSON array, one a box; '' none
    updated_by TEXT REFERENCES "user" (id) ON DELETE SET NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (draft_id, idx)
) WITHOUT ROWID;

-- How a dataset's classes are drawn, by name: of no matter for the content.
CREATE TABLE dataset_colour (
    dataset_id TEXT NOT NULL REFERENCES dataset (id) ON DELETE CASCADE,
    class      TEXT NOT NULL,
    colour     INTEGER NOT NULL,                -- of the app's palette, from 0
    PRIMARY KEY (dataset_id, class)
) WITHOUT ROWID;

-- An import may now come from a draft, and says in words what it brings.
CREATE TABLE dataset_import_new (
    id           TEXT PRIMARY KEY,
    dataset_id   TEXT NOT NULL REFERENCES dataset (id) ON DELETE CASCADE,
    kind         TEXT NOT NULL CHECK (kind IN ('archive', 'split', 'draft')),
    upload_id    TEXT NOT NULL,                 -- archive
    base_version TEXT NOT NULL,                 -- split, draft
    draft_id     TEXT NOT NULL DEFAULT '',      -- draft
    message      TEXT NOT NULL DEFAULT '',
    split        TEXT NOT NULL,                 -- JSON: struct split_spec
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
INSERT INTO dataset_import_new (id, dataset_id, kind, upload_id, base_version, split, state,
    attempt, phase, progress, version, images, faults, error_code, error_fault, error, created_by,
    created_at, started_at, ended_at)
SELECT id, dataset_id, kind, upload_id, base_version, split, state, attempt, phase, progress,
    version, images, faults, error_code, error_fault, error, created_by, created_at, started_at,
    ended_at FROM dataset_import;
DROP TABLE dataset_import;
ALTER TABLE dataset_import_new RENAME TO dataset_import;
CREATE INDEX dataset_import_state ON dataset_import (state, created_at);
CREATE INDEX dataset_import_dataset ON dataset_import (dataset_id);
