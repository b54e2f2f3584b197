-- What computes a job, as its worker said at the start: JSON, struct engine of spec/contract.h.

ALTER TABLE job ADD COLUMN engine TEXT NOT NULL DEFAULT '';
