-- Conversations are counted twice, among all and among those of whoever answers, so that a count reads as many rows however many people
-- there are. The key was state/archived/channel/user and is status/channel; the kind ends with the user.

CREATE TABLE counter_before AS
  WITH rests AS (SELECT org_id, kind, key, n, substr(key, instr(key, '/') + 1) AS rest FROM counter WHERE kind <> 'contacts'),
    ends AS (SELECT org_id, kind, key, n, substr(rest, instr(rest, '/') + 1) AS rest FROM rests)
  SELECT org_id, kind, substr(rest, instr(rest, '/') + 1) AS answers, n,
    CASE WHEN key LIKE '%/archived/%' THEN 'archived'
      WHEN key LIKE 'open/%' OR key LIKE 'escalated/%' THEN 'open'
      ELSE 'closed' END || '/' || substr(rest, 1, instr(rest, '/') - 1) AS key
  FROM ends;
DELETE FROM counter WHERE kind <> 'contacts';
INSERT INTO counter (org_id, kind, key, n) SELECT org_id, kind, key, SUM(n) FROM counter_before GROUP BY org_id, kind, key;
INSERT INTO counter (org_id, kind, key, n)
  SELECT org_id, kind || '/' || answers, key, SUM(n) FROM counter_before GROUP BY org_id, kind, answers, key;
DROP TABLE counter_before;
