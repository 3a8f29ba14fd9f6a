-- Each conversation in one list by its last message, so that a message moves it in one index: what an index costs with every message
-- is a page in the log and one in the database (docs/performance.md).

DROP INDEX conversation_list;
CREATE INDEX conversation_closed ON conversation (org_id, last_message_ms, id)
  WHERE state IN ('completed', 'abandoned') AND NOT archived;
CREATE INDEX conversation_archived ON conversation (org_id, last_message_ms, id) WHERE archived;
-- Those of one contact are few: they are sorted when they are asked for.
DROP INDEX conversation_contact;
CREATE INDEX conversation_contact ON conversation (org_id, contact_id, id);
