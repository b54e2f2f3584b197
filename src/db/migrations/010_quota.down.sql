DROP INDEX job_maker;
DROP INDEX dataset_version_maker;
DROP TABLE quota;
