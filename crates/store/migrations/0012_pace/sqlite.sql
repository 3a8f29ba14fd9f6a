-- Queues that stop and go on, and what is no try of a message's own.

-- The provider takes nothing from the account: one message at a time goes to find out whether it does again.
ALTER TABLE account_pace ADD COLUMN stopped BOOLEAN NOT NULL DEFAULT FALSE;
-- The attempt was refused for the account's sake, and does not count towards the end of the message's tries.
ALTER TABLE attempt ADD COLUMN held BOOLEAN NOT NULL DEFAULT FALSE;
-- How many of a job's claims ended with the job given back.
ALTER TABLE job ADD COLUMN given_back BIGINT NOT NULL DEFAULT 0;
-- The jobs that wait for their account's turn.
CREATE INDEX job_turn ON job (org_id, account_id) WHERE slot_ms IS NOT NULL;
