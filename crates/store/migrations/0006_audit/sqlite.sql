-- The audit log, and the health of accounts.

-- subject and subject_id name what was changed; details is JSON. Ids of people and keys stay when these are gone.
CREATE TABLE audit (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  org_id BIGINT NOT NULL,
  at_ms BIGINT NOT NULL,
  actor TEXT NOT NULL,
  user_id BIGINT,
  key_id BIGINT,
  request_id TEXT,
  action TEXT NOT NULL,
  subject TEXT NOT NULL,
  subject_id BIGINT NOT NULL,
  details TEXT NOT NULL
);
CREATE INDEX audit_list ON audit (org_id, at_ms, id);
CREATE INDEX audit_subject ON audit (org_id, subject, subject_id, at_ms, id);
-- The condition is always true. With it SQLite takes the index for smaller than that of the whole log, and prefers it.
CREATE INDEX audit_action ON audit (org_id, action, at_ms, id) WHERE action IS NOT NULL;
CREATE INDEX audit_users ON audit (org_id, user_id, at_ms, id) WHERE user_id IS NOT NULL;
CREATE INDEX audit_keys ON audit (org_id, key_id, at_ms, id) WHERE key_id IS NOT NULL;

-- A table of its own: it changes every minute, and the account's row with its sealed secret seldom does.
CREATE TABLE account_health (
  org_id BIGINT NOT NULL,
  account_id BIGINT NOT NULL,
  failing BOOLEAN NOT NULL,
  last_in_ms BIGINT,
  last_out_ms BIGINT,
  error_code TEXT,
  error_message TEXT,
  error_ms BIGINT,
  refused_hooks BIGINT NOT NULL,
  last_refused_ms BIGINT,
  PRIMARY KEY (org_id, account_id)
) WITHOUT ROWID;
