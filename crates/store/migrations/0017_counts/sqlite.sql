-- Conversations are counted twice, among all and among those of whoever answers, so that a count reads as many rows however many people
-- there are. The key was state/archived/channel/user and ends with the channel; the kind ends with the user.

CREATE TABLE counter_before AS
  WITH firsts AS (SELECT org_id, kind, key, n, rtrim(key, '0123456789') AS first FROM counter WHERE kind <> 'contacts')
  SELECT org_id, kind, substr(key, length(first) + 1) AS answers, n, rtrim(first, '/') AS key FROM firsts;
DELETE FROM counter WHERE kind <> 'contacts';
INSERT INTO counter (org_id, kind, key, n) SELECT org_id, kind, key, SUM(n) FROM counter_before GROUP BY org_id, kind, key;
INSERT INTO counter (org_id, kind, key, n)
  SELECT org_id, kind || '/' || answers, key, SUM(n) FROM counter_before GROUP BY org_id, kind, answers, key;
DROP TABLE counter_before;
