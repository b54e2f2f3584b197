-- Datasets: names for people, contents for machines.  Only flow/dataset writes here.
-- A content is a manifest (spec/dataset.h), named by its SHA-256 and stored once, whatever datasets
-- have it as a version.  While its rows are being written it is 'loading' and nobody refers to it.

CREATE TABLE dataset (
    id          TEXT PRIMARY KEY,
    project_id  TEXT REFERENCES project (id) ON DELETE RESTRICT, -- NULL: the default project
    name        TEXT NOT NULL,
    name_key    TEXT NOT NULL,                  -- lower case (ASCII)
    description TEXT NOT NULL DEFAULT '',
    created_by  TEXT REFERENCES "user" (id) ON DELETE SET NULL,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    deleted_at  INTEGER,
    project_was TEXT                            -- deleted: its project, which may then go too
);
CREATE UNIQUE INDEX dataset_name ON dataset (coalesce(project_id, ''), name_key)
    WHERE deleted_at IS NULL;

CREATE TABLE dataset_content (
    id             INTEGER PRIMARY KEY,
    version        TEXT NOT NULL UNIQUE,        -- SHA-256 of the manifest
    state          TEXT NOT NULL CHECK (state IN ('loading', 'ready')),
    task           TEXT NOT NULL,
    format         TEXT NOT NULL,
    classes        TEXT NOT NULL,               -- JSON array of names
    images         INTEGER NOT NULL,
    train          INTEGER NOT NULL,
    val            INTEGER NOT NULL,
    test           INTEGER NOT NULL,
    none           INTEGER NOT NULL,
    bytes          INTEGER NOT NULL,            -- of all images
    manifest_bytes INTEGER NOT NULL,
    created_at     INTEGER NOT NULL
);

CREATE TABLE dataset_image (
    content_id INTEGER NOT NULL REFERENCES dataset_content (id) ON DELETE CASCADE,
    idx        INTEGER NOT NULL,                -- line of the manifest, from 0
    name       TEXT NOT NULL,
    split      TEXT NOT NULL,
    sha256     TEXT NOT NULL,
    bytes      INTEGER NOT NULL,
    width      INTEGER NOT NULL,
    height     INTEGER NOT NULL,
    type       TEXT NOT NULL,
    label      INTEGER NOT NULL,                -- -1: none
    shapes     TEXT NOT NULL,                   -- JSON: boxes, polygons, quads; '' none
    PRIMARY KEY (content_id, idx)
) WITHOUT ROWID;
CREATE INDEX dataset_image_sha256 ON dataset_image (sha256, content_id);
CREATE UNIQUE INDEX dataset_image_name ON dataset_image (content_id, name);

-- Which classes occur in an image: its label, or those of its shapes.
CREATE TABLE dataset_image_class (
    content_id INTEGER NOT NULL REFERENCES dataset_content (id) ON DELETE CASCADE,
    class      INTEGER NOT NULL,
    idx        INTEGER NOT NULL,
    PRIMARY KEY (content_id, class, idx)
) WITHOUT ROWID;

CREATE TABLE dataset_version (
    id           INTEGER PRIMARY KEY,
    dataset_id   TEXT NOT NULL REFERENCES dataset (id) ON DELETE CASCADE,
    number       INTEGER NOT NULL,              -- 1, 2, .. within the dataset
    content_id   INTEGER NOT NULL REFERENCES dataset_content (id) ON DELETE RESTRICT,
    import_id    TEXT NOT NULL,
    split        TEXT NOT NULL,                 -- JSON: struct split_spec, without its lists
    stats        TEXT NOT NULL,                 -- JSON: assembly_stats
    faults       INTEGER NOT NULL,
    created_by   TEXT REFERENCES "user" (id) ON DELETE SET NULL,
    created_at   INTEGER NOT NULL,
    UNIQUE (dataset_id, number),
    UNIQUE (dataset_id, content_id)
);
CREATE INDEX dataset_version_content ON dataset_version (content_id);

CREATE TABLE dataset_fault (
    version_id INTEGER NOT NULL REFERENCES dataset_version (id) ON DELETE CASCADE,
    n          INTEGER NOT NULL,
    severity   TEXT NOT NULL,
    code       TEXT NOT NULL,
    file       TEXT NOT NULL,
    line       INTEGER NOT NULL,
    image      TEXT NOT NULL,
    message    TEXT NOT NULL,
    action     TEXT NOT NULL,
    PRIMARY KEY (version_id, n)
) WITHOUT ROWID;
CREATE INDEX dataset_fault_image ON dataset_fault (version_id, image, code);

-- An upload that has begun: its bytes are the objects uploads/<id>/<n>.
CREATE TABLE dataset_upload (
    id         TEXT PRIMARY KEY,
    project_id TEXT REFERENCES project (id) ON DELETE CASCADE,
    name       TEXT NOT NULL,                   -- of the dataset to be
    bytes      INTEGER NOT NULL,                -- -1: not said
    part_bytes INTEGER NOT NULL,                -- 0: one part of any size
    split      TEXT NOT NULL,                   -- JSON: struct split_spec
    state      TEXT NOT NULL CHECK (state IN ('open', 'complete')),
    created_by TEXT REFERENCES "user" (id) ON DELETE SET NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
);
CREATE INDEX dataset_upload_idle ON dataset_upload (updated_at);
CREATE TABLE dataset_upload_part (
    upload_id TEXT NOT NULL REFERENCES dataset_upload (id) ON DELETE CASCADE,
    n         INTEGER NOT NULL,                 -- from 1
    bytes     INTEGER NOT NULL,
    PRIMARY KEY (upload_id, n)
) WITHOUT ROWID;

-- queued -> running -> done | failed; running -> queued when its process was lost.
CREATE TABLE dataset_import (
    id           TEXT PRIMARY KEY,
    dataset_id   TEXT NOT NULL REFERENCES dataset (id) ON DELETE CASCADE,
    kind         TEXT NOT NULL CHECK (kind IN ('archive', 'split')),
    upload_id    TEXT NOT NULL,                 -- archive
    base_version TEXT NOT NULL,                 -- split
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
CREATE INDEX dataset_import_state ON dataset_import (state, created_at);
CREATE INDEX dataset_import_dataset ON dataset_import (dataset_id);
