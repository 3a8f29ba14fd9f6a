-- The search index: rows made by the search consumer out of the event log, and the consumer's cursor. Every row has the
-- lexeme of its org, so that no org pays for the words of another. Without a pending list, reads cost what they cost.

CREATE TABLE search_cursor (
  org_id BIGINT PRIMARY KEY,
  version BIGINT NOT NULL,
  seq BIGINT NOT NULL,
  anchor TEXT NOT NULL,
  stage BIGINT NOT NULL,
  place_a BIGINT NOT NULL,
  place_b BIGINT NOT NULL,
  place_c BIGINT NOT NULL
);

CREATE TABLE search_message (
  org_id BIGINT NOT NULL,
  id BIGINT NOT NULL,
  tokens TSVECTOR NOT NULL,
  PRIMARY KEY (org_id, id)
);
CREATE INDEX search_message_tokens ON search_message USING gin (tokens) WITH (fastupdate = off);

-- Contacts (id * 2) and conversations with a visitor's own name, number or address (id * 2 + 1).
CREATE TABLE search_person (
  org_id BIGINT NOT NULL,
  id BIGINT NOT NULL,
  tokens TSVECTOR NOT NULL,
  PRIMARY KEY (org_id, id)
);
CREATE INDEX search_person_tokens ON search_person USING gin (tokens) WITH (fastupdate = off);
