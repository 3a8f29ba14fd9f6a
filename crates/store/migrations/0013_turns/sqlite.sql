-- Turns by channel, and files that wait for their account.

-- The turns of an account's channel: when the next is given, and when the next can be used.
CREATE TABLE account_turn (
  org_id BIGINT NOT NULL,
  account_id BIGINT NOT NULL,
  channel TEXT NOT NULL,
  next_us BIGINT NOT NULL,
  free_us BIGINT NOT NULL,
  PRIMARY KEY (org_id, account_id, channel)
) WITHOUT ROWID;
ALTER TABLE account_pace DROP COLUMN next_us;
-- Turns that were given before are void: whoever has one takes a new one at its time.
UPDATE account_pace SET epoch = epoch + 1;

-- The channel of a job's turn.
ALTER TABLE job ADD COLUMN slot_channel TEXT;
UPDATE job SET slot_channel = 'sms' WHERE slot_ms IS NOT NULL;
DROP INDEX job_turn;
CREATE INDEX job_turn ON job (org_id, account_id, slot_channel, slot_epoch, slot_ms) WHERE slot_ms IS NOT NULL;
-- Of files, the account that stands in their way.
CREATE INDEX job_held ON job (org_id, account_id) WHERE kind = 'fetch_media' AND account_id IS NOT NULL;
-- What is fetched from providers comes after what people wait for.
UPDATE job SET priority = 10 WHERE kind IN ('reconcile', 'backfill', 'find_call');
