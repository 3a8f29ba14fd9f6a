-- Calls, sends for later, paces of accounts, and what was listed after it was missed.

-- Of calls: how they went, as JSON.
ALTER TABLE message ADD COLUMN call_facts TEXT;
-- Of sends for later: when.
ALTER TABLE message ADD COLUMN send_at_ms BIGINT;
-- How many seconds it is worth delivering.
ALTER TABLE message ADD COLUMN valid_s BIGINT;
-- How many SMS the provider made of it.
ALTER TABLE message ADD COLUMN segments BIGINT;
-- Found in a provider's list long after it came: it never counts as unread.
ALTER TABLE message ADD COLUMN history BOOLEAN NOT NULL DEFAULT FALSE;

-- The account that a job sends over, and its turn there.
ALTER TABLE job ADD COLUMN account_id BIGINT;
ALTER TABLE job ADD COLUMN slot_ms BIGINT;
ALTER TABLE job ADD COLUMN slot_epoch BIGINT;

-- When an account may send next, and until when it waits after a refusal. A new epoch makes every turn that was given before void.
CREATE TABLE account_pace (
  org_id BIGINT NOT NULL,
  account_id BIGINT NOT NULL,
  next_us BIGINT NOT NULL,
  epoch BIGINT NOT NULL,
  paused_until_ms BIGINT,
  pauses BIGINT NOT NULL,
  PRIMARY KEY (org_id, account_id)
);

-- How far back an account's lists at its provider were compared with what came by hooks.
CREATE TABLE account_sync (
  org_id BIGINT NOT NULL,
  account_id BIGINT NOT NULL,
  through_ms BIGINT NOT NULL,
  looked_ms BIGINT NOT NULL,
  found BIGINT NOT NULL,
  error_code TEXT,
  error_message TEXT,
  PRIMARY KEY (org_id, account_id)
);
