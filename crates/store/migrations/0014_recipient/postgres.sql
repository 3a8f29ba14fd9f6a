-- What an attempt whose answer was lost is looked for by.

-- Whom the provider was asked to reach: of a call that we make, the phone of the staff.
ALTER TABLE attempt ADD COLUMN recipient TEXT NOT NULL DEFAULT '';
UPDATE attempt SET recipient = (SELECT c.peer FROM message m JOIN conversation c ON c.org_id = m.org_id AND c.id = m.conversation_id
        WHERE m.org_id = attempt.org_id AND m.id = attempt.message_id)
    WHERE provider_id IS NULL AND (state = 'unknown' OR finished_ms IS NULL);
-- The attempts that may have reached them, while nobody knows.
CREATE INDEX attempt_open ON attempt (org_id, account_id, recipient) WHERE provider_id IS NULL AND (state = 'unknown' OR finished_ms IS NULL);
