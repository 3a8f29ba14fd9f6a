-- What lists show of an org has a version: it grows with every change of them, and is never less than the time of the
-- change in unix milliseconds, so that it does not come twice even after an older copy of the database was restored.
ALTER TABLE org ADD COLUMN version BIGINT NOT NULL DEFAULT 0;
