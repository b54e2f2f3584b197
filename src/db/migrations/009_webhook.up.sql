-- Webhooks: whom to tell of what happens to jobs, and what has still to be told.
--
-- A trigger writes the deliveries in the transaction that changes a job, so none is lost and none is
-- made up; src/flow/webhook/sender.c sends them.  The secret signs each delivery, so it has to lie
-- here as it is.

CREATE TABLE webhook (
    id          TEXT PRIMARY KEY,
    project_id  TEXT REFERENCES project (id) ON DELETE CASCADE, -- NULL: jobs of every project
    url         TEXT NOT NULL,
    description TEXT NOT NULL DEFAULT '',
    events      TEXT NOT NULL,               -- 'job.completed job.failed': separated by spaces
    secret      TEXT NOT NULL,               -- 'whsec_' and base64
    active      INTEGER NOT NULL DEFAULT 1 CHECK (active IN (0, 1)),
    created_by  TEXT REFERENCES "user" (id) ON DELETE SET NULL,
    created_at  INTEGER NOT NULL             -- Unix milliseconds
);

CREATE TABLE webhook_delivery (
    id          TEXT PRIMARY KEY,            -- also the header webhook-id
    webhook_id  TEXT NOT NULL REFERENCES webhook (id) ON DELETE CASCADE,
    event       TEXT NOT NULL,
    job_id      TEXT NOT NULL DEFAULT '',    -- '': none (ping); may have been deleted since
    created_at  INTEGER NOT NULL,
    attempts    INTEGER NOT NULL DEFAULT 0,
    next_at     INTEGER,                     -- the next attempt; NULL: none
    done_at     INTEGER,                     -- delivered or given up
    status      INTEGER NOT NULL DEFAULT 0,  -- of the last reply; 0: none came
    error       TEXT NOT NULL DEFAULT ''
);
CREATE INDEX webhook_delivery_due ON webhook_delivery (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX webhook_delivery_of ON webhook_delivery (webhook_id, created_at DESC);

CREATE TRIGGER job_webhook AFTER UPDATE OF status ON job
WHEN OLD.status <> NEW.status AND NEW.status IN ('running', 'completed', 'failed', 'cancelled')
BEGIN
    INSERT INTO webhook_delivery (id, webhook_id, event, job_id, created_at, next_at)
    SELECT 'msg_' || lower(hex(randomblob(16))), w.id, 'job.' || NEW.status, NEW.id,
           NEW.updated_at, NEW.updated_at
    FROM webhook w
    WHERE w.active = 1 AND (w.project_id IS NULL OR w.project_id = NEW.project_id)
      AND instr(' ' || w.events || ' ', ' job.' || NEW.status || ' ') > 0;
END;
