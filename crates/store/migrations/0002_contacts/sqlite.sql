-- Contacts that are merged leave a redirect, the ledger of opt-outs can be listed, and contacts are counted.

-- The living contact that answers in place of a merged one; always one step away.
ALTER TABLE contact ADD COLUMN redirect_to BIGINT;
CREATE INDEX contact_redirect ON contact (org_id, redirect_to) WHERE redirect_to IS NOT NULL;
CREATE INDEX identity_contact ON identity (org_id, contact_id, kind, value);

-- The ledger takes an id, so that a page can begin behind a row of it.
CREATE TABLE opt_out_with_id (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  org_id BIGINT NOT NULL,
  kind TEXT NOT NULL,
  value TEXT NOT NULL,
  opted_out BOOLEAN NOT NULL,
  source TEXT NOT NULL,
  at_ms BIGINT NOT NULL
);
INSERT INTO opt_out_with_id (org_id, kind, value, opted_out, source, at_ms)
  SELECT org_id, kind, value, opted_out, source, at_ms FROM opt_out ORDER BY at_ms;
DROP TABLE opt_out;
ALTER TABLE opt_out_with_id RENAME TO opt_out;
CREATE UNIQUE INDEX opt_out_identity ON opt_out (org_id, kind, value);
CREATE INDEX opt_out_list ON opt_out (org_id, at_ms, id);

INSERT INTO counter (org_id, kind, key, n) SELECT org_id, 'contacts', '', COUNT(*) FROM contact GROUP BY org_id;
