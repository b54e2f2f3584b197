-- What one account may use, where it differs from the program's settings (jobs_per_user,
-- storage_per_user).  NULL: as the setting says; 0 bytes: no limit.

CREATE TABLE quota (
    user_id   TEXT PRIMARY KEY REFERENCES "user" (id) ON DELETE CASCADE,
    jobs_max  INTEGER CHECK (jobs_max >= 0),     -- that run at once; 0: none
    bytes_max INTEGER CHECK (bytes_max >= 0)     -- of pictures and checkpoints
);
CREATE INDEX dataset_version_maker ON dataset_version (created_by);
CREATE INDEX job_maker ON job (created_by);
