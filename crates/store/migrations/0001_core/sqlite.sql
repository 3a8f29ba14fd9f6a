-- The core: directory tables (installation, org, "user", staff, api_key, account_route, job) and tenant tables, which
-- lead with org_id. Times are unix milliseconds; JSON is text that is never filtered on.

CREATE TABLE installation (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  tag BIGINT NOT NULL,
  key_check BLOB,
  created_ms BIGINT NOT NULL
);

CREATE TABLE org (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  slug TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  region TEXT NOT NULL,
  sms_provider TEXT,
  seq BIGINT NOT NULL,
  created_ms BIGINT NOT NULL
);

CREATE TABLE "user" (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  email TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  password_hash TEXT NOT NULL,
  created_ms BIGINT NOT NULL
);

CREATE TABLE staff (
  org_id BIGINT NOT NULL,
  user_id BIGINT NOT NULL,
  role TEXT NOT NULL,
  created_ms BIGINT NOT NULL,
  PRIMARY KEY (org_id, user_id)
) WITHOUT ROWID;

CREATE TABLE api_key (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  org_id BIGINT NOT NULL,
  user_id BIGINT,
  name TEXT NOT NULL,
  token_hash BLOB NOT NULL UNIQUE,
  dialect TEXT,
  may_assist BOOLEAN NOT NULL,
  created_ms BIGINT NOT NULL,
  revoked_ms BIGINT
);

-- By which name a hook finds its account before anything is verified: the provider's account name or our hook token.
CREATE TABLE account_route (
  kind TEXT NOT NULL,
  value TEXT NOT NULL,
  org_id BIGINT NOT NULL,
  account_id BIGINT NOT NULL,
  PRIMARY KEY (kind, value, org_id, account_id)
) WITHOUT ROWID;

CREATE TABLE job (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  org_id BIGINT NOT NULL,
  kind TEXT NOT NULL,
  payload TEXT NOT NULL,
  lane BIGINT,
  priority BIGINT NOT NULL,
  run_at_ms BIGINT NOT NULL,
  lease_until_ms BIGINT,
  attempt BIGINT NOT NULL,
  created_ms BIGINT NOT NULL
);
CREATE INDEX job_due ON job (priority, run_at_ms, id);
CREATE INDEX job_lane ON job (org_id, lane, id);

CREATE TABLE account (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  org_id BIGINT NOT NULL,
  provider TEXT NOT NULL,
  name TEXT NOT NULL,
  settings TEXT NOT NULL,
  secret BLOB NOT NULL,
  hook_token TEXT NOT NULL UNIQUE,
  sender TEXT NOT NULL,
  enabled BOOLEAN NOT NULL,
  created_ms BIGINT NOT NULL
);
CREATE UNIQUE INDEX account_sender ON account (org_id, provider, sender);

CREATE TABLE contact (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  org_id BIGINT NOT NULL,
  first_name TEXT NOT NULL,
  last_name TEXT NOT NULL,
  phone TEXT,
  email TEXT,
  search TEXT NOT NULL,
  created_ms BIGINT NOT NULL,
  updated_ms BIGINT NOT NULL
);
CREATE INDEX contact_org ON contact (org_id, id);

CREATE TABLE identity (
  org_id BIGINT NOT NULL,
  kind TEXT NOT NULL,
  value TEXT NOT NULL,
  contact_id BIGINT NOT NULL,
  PRIMARY KEY (org_id, kind, value)
) WITHOUT ROWID;

CREATE TABLE conversation (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  org_id BIGINT NOT NULL,
  account_id BIGINT NOT NULL,
  session_key TEXT NOT NULL,
  channel TEXT NOT NULL,
  contact_id BIGINT NOT NULL,
  contact_name TEXT,
  peer TEXT NOT NULL,
  state TEXT NOT NULL,
  archived BOOLEAN NOT NULL,
  starred BOOLEAN NOT NULL,
  assigned_to BIGINT,
  message_count BIGINT NOT NULL,
  unread_count BIGINT NOT NULL,
  read_through BIGINT NOT NULL,
  last_message_ms BIGINT NOT NULL,
  newest_id BIGINT NOT NULL,
  preview TEXT NOT NULL,
  last_direction TEXT,
  metadata TEXT NOT NULL,
  visitor_name TEXT,
  visitor_email TEXT,
  visitor_phone TEXT,
  visitor_search TEXT NOT NULL DEFAULT '',
  created_ms BIGINT NOT NULL,
  updated_ms BIGINT NOT NULL
);
CREATE UNIQUE INDEX conversation_key ON conversation (org_id, account_id, session_key);
CREATE INDEX conversation_list ON conversation (org_id, last_message_ms, id);
CREATE INDEX conversation_open ON conversation (org_id, last_message_ms, id)
  WHERE state IN ('open', 'escalated') AND NOT archived;
CREATE INDEX conversation_assigned ON conversation (org_id, assigned_to, last_message_ms, id) WHERE assigned_to IS NOT NULL;
CREATE INDEX conversation_contact ON conversation (org_id, contact_id, last_message_ms, id);

-- The team's read positions over time: a message was read when the first position at or past it was set.
CREATE TABLE read_mark (
  org_id BIGINT NOT NULL,
  conversation_id BIGINT NOT NULL,
  through_id BIGINT NOT NULL,
  at_ms BIGINT NOT NULL,
  PRIMARY KEY (org_id, conversation_id, through_id)
) WITHOUT ROWID;

CREATE TABLE message (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  org_id BIGINT NOT NULL,
  conversation_id BIGINT NOT NULL,
  account_id BIGINT NOT NULL,
  channel TEXT NOT NULL,
  direction TEXT NOT NULL,
  sender TEXT NOT NULL,
  sender_user_id BIGINT,
  kind TEXT NOT NULL,
  body TEXT NOT NULL,
  attachments TEXT,
  meta TEXT,
  inbound_id TEXT,
  state TEXT NOT NULL,
  error_state TEXT,
  error_code TEXT,
  error_message TEXT,
  attempt_id BIGINT,
  read_ms BIGINT,
  at_ms BIGINT NOT NULL,
  received_ms BIGINT NOT NULL,
  updated_ms BIGINT NOT NULL
);
CREATE UNIQUE INDEX message_inbound ON message (org_id, account_id, inbound_id) WHERE inbound_id IS NOT NULL;
CREATE INDEX message_thread ON message (org_id, conversation_id, at_ms, id);

CREATE TABLE attempt (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  org_id BIGINT NOT NULL,
  message_id BIGINT NOT NULL,
  account_id BIGINT NOT NULL,
  provider_id TEXT,
  outcome TEXT NOT NULL,
  outcome_code TEXT,
  outcome_message TEXT,
  state TEXT NOT NULL,
  error_state TEXT,
  error_code TEXT,
  error_message TEXT,
  started_ms BIGINT NOT NULL,
  finished_ms BIGINT
);
CREATE UNIQUE INDEX attempt_provider ON attempt (org_id, account_id, provider_id) WHERE provider_id IS NOT NULL;
CREATE INDEX attempt_message ON attempt (org_id, message_id, id);

-- What the provider said, by its own id of the message: it may come before we know that id.
CREATE TABLE receipt (
  org_id BIGINT NOT NULL,
  account_id BIGINT NOT NULL,
  provider_id TEXT NOT NULL,
  state TEXT NOT NULL,
  error_code TEXT NOT NULL,
  error_message TEXT NOT NULL,
  received_ms BIGINT NOT NULL,
  PRIMARY KEY (org_id, account_id, provider_id, state, error_code)
) WITHOUT ROWID;

CREATE TABLE opt_out (
  org_id BIGINT NOT NULL,
  kind TEXT NOT NULL,
  value TEXT NOT NULL,
  opted_out BOOLEAN NOT NULL,
  source TEXT NOT NULL,
  at_ms BIGINT NOT NULL,
  PRIMARY KEY (org_id, kind, value)
) WITHOUT ROWID;

CREATE TABLE hook (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  org_id BIGINT NOT NULL,
  account_id BIGINT NOT NULL,
  state TEXT NOT NULL,
  reason TEXT NOT NULL,
  digest BLOB NOT NULL,
  request TEXT NOT NULL,
  content_type TEXT NOT NULL,
  body BLOB NOT NULL,
  received_ms BIGINT NOT NULL
);
CREATE UNIQUE INDEX hook_digest ON hook (org_id, account_id, digest);

CREATE TABLE idempotency (
  org_id BIGINT NOT NULL,
  key_id BIGINT NOT NULL,
  key TEXT NOT NULL,
  request_hash BLOB NOT NULL,
  message_id BIGINT,
  status BIGINT,
  body BLOB,
  started_ms BIGINT NOT NULL,
  PRIMARY KEY (org_id, key_id, key)
);
CREATE INDEX idempotency_age ON idempotency (started_ms);

CREATE TABLE counter (
  org_id BIGINT NOT NULL,
  kind TEXT NOT NULL,
  key TEXT NOT NULL,
  n BIGINT NOT NULL,
  PRIMARY KEY (org_id, kind, key)
) WITHOUT ROWID;

CREATE TABLE event (
  org_id BIGINT NOT NULL,
  seq BIGINT NOT NULL,
  kind TEXT NOT NULL,
  data TEXT NOT NULL,
  at_ms BIGINT NOT NULL,
  PRIMARY KEY (org_id, seq)
) WITHOUT ROWID;
