DROP TABLE job_artifact;
DROP TABLE job_series;
ALTER TABLE job DROP COLUMN samples;
ALTER TABLE job DROP COLUMN wish;
