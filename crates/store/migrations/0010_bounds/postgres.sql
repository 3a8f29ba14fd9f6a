-- What is looked for often costs as much as it finds, however much lies beside it.

-- A job of an org that is switched off rests, and no claim walks over it. The mark follows the org's switch in chunks.
ALTER TABLE job ADD COLUMN resting BOOLEAN NOT NULL DEFAULT FALSE;
DROP INDEX job_due;
CREATE INDEX job_due ON job (priority, run_at_ms, id) WHERE NOT resting;
CREATE INDEX job_rest ON job (org_id, resting, id);

-- Two facets of the audit log together.
CREATE INDEX audit_user_action ON audit (org_id, user_id, action, at_ms, id) WHERE user_id IS NOT NULL;
CREATE INDEX audit_key_action ON audit (org_id, key_id, action, at_ms, id) WHERE key_id IS NOT NULL;
CREATE INDEX audit_key_user ON audit (org_id, key_id, user_id, at_ms, id) WHERE key_id IS NOT NULL AND user_id IS NOT NULL;
-- Without the word of the subject's kind, which says little beside its id.
CREATE INDEX audit_subject_action ON audit (org_id, subject_id, action, at_ms, id) WHERE action IS NOT NULL;
CREATE INDEX audit_subject_user ON audit (org_id, subject_id, user_id, at_ms, id) WHERE user_id IS NOT NULL;
CREATE INDEX audit_key_subject ON audit (org_id, subject_id, key_id, at_ms, id) WHERE key_id IS NOT NULL;
