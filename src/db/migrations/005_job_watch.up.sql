-- What people ask of a job under way, its course within epochs, and what it leaves besides checkpoints.

ALTER TABLE job ADD COLUMN wish TEXT NOT NULL DEFAULT '';       -- '', 'pause', 'finish'
ALTER TABLE job ADD COLUMN samples INTEGER NOT NULL DEFAULT 0;  -- rows ever offered to job_series

-- The metrics of progress and epoch reports, one row a report, thinned as the run grows long.  An
-- epoch that is run again replaces what it reported before.
CREATE TABLE job_series (
    job_id TEXT NOT NULL REFERENCES job (id) ON DELETE CASCADE,
    n      INTEGER NOT NULL,                    -- of job.samples; rows of a long run are multiples
    epoch  INTEGER NOT NULL,                    -- under way, from 1
    step   INTEGER NOT NULL,                    -- of the whole run
    at     INTEGER NOT NULL,                    -- Unix ms at the worker
    epochs REAL NOT NULL,                       -- passed, with the part of the one under way
    metric TEXT NOT NULL,                       -- JSON: numbers by name
    PRIMARY KEY (job_id, n)
);

CREATE TABLE job_artifact (
    job_id TEXT NOT NULL REFERENCES job (id) ON DELETE CASCADE,
    name   TEXT NOT NULL,                       -- 'samples': pictures as they enter the network
    key    TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    bytes  INTEGER NOT NULL,
    type   TEXT NOT NULL,
    info   TEXT NOT NULL,                       -- JSON: what else is to be known of it
    at     INTEGER NOT NULL,
    PRIMARY KEY (job_id, name)
);
