-- Who did what: one row for each request of a person that changed something, or was refused.  Only
-- added to, and trimmed by age (the setting audit_days).  It outlives what it names, so it holds
-- names as they were then and refers to nothing.

CREATE TABLE audit (
    id         INTEGER PRIMARY KEY,
    at         INTEGER NOT NULL,             -- Unix milliseconds
    actor_id   TEXT NOT NULL,                -- account; '': none (a failed log-in)
    actor      TEXT NOT NULL,                -- its name then
    credential TEXT NOT NULL CHECK (credential IN ('session', 'token', 'none')),
    action     TEXT NOT NULL,                -- the route: 'DELETE /training/jobs/{id}'
    object     TEXT NOT NULL,                -- the path that was asked for
    status     INTEGER NOT NULL,             -- of the reply: 400 and up, nothing was done
    address    TEXT NOT NULL
);
CREATE INDEX audit_actor ON audit (actor_id, id);
