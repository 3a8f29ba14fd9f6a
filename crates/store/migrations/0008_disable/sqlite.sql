-- Orgs and users can be switched off. NULL: switched on; else since when, unix ms.

ALTER TABLE org ADD COLUMN disabled_ms BIGINT;
ALTER TABLE "user" ADD COLUMN disabled_ms BIGINT;
-- Asked for at every claim of jobs.
CREATE INDEX org_disabled ON org (id) WHERE disabled_ms IS NOT NULL;
-- All sessions of a person end together.
CREATE INDEX session_of_user ON session (user_id);
