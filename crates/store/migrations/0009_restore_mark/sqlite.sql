-- A fresh number after each restore: what is derived from this database and kept elsewhere was derived from another when it
-- remembers another number. 0: never restored.
ALTER TABLE installation ADD COLUMN restore_mark BIGINT NOT NULL DEFAULT 0;
