-- The directory over the API: what a key may do and until when, sessions, and an org's GoHighLevel settings.

ALTER TABLE api_key ADD COLUMN scopes TEXT NOT NULL DEFAULT 'read write admin';
UPDATE api_key SET scopes = 'read write admin assistant' WHERE may_assist;
ALTER TABLE api_key DROP COLUMN may_assist;
ALTER TABLE api_key ADD COLUMN expires_ms BIGINT;
ALTER TABLE api_key ADD COLUMN last_used_ms BIGINT;
CREATE INDEX api_key_org ON api_key (org_id, id);
CREATE INDEX staff_user ON staff (user_id);

ALTER TABLE org ADD COLUMN ghl_location_id TEXT;
ALTER TABLE org ADD COLUMN ghl_api_key BLOB;

-- org_id is the org that was named at sign-in, where one was.
CREATE TABLE session (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  user_id BIGINT NOT NULL,
  org_id BIGINT,
  token_hash BLOB NOT NULL UNIQUE,
  created_ms BIGINT NOT NULL,
  expires_ms BIGINT NOT NULL
);
CREATE INDEX session_expiry ON session (expires_ms);
