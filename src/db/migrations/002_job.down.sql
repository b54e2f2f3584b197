DROP TABLE validation;
DROP TABLE checkpoint;
DROP TABLE metric;
DROP TABLE job_log;
DROP TABLE job_event;
DROP TABLE job_attempt;
DROP TABLE job;
