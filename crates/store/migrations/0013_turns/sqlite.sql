-- Turns by channel, and files that wait for their account.

-- Of files, the account that stands in their way.
CREATE INDEX job_held ON job (org_id, account_id) WHERE kind = 'fetch_media' AND account_id IS NOT NULL;
-- What is fetched from providers comes after what people wait for.
UPDATE job SET priority = 10 WHERE kind IN ('reconcile', 'backfill', 'find_call');
