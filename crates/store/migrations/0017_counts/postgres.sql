-- Conversations are counted twice, among all and among those of whoever answers, so that a count reads as many rows however many people
-- there are. The key was state/archived/channel/user and ends with the channel; the kind ends with the user.

CREATE TABLE counter_before AS
  SELECT org_id, kind, split_part(key, '/', 4) AS answers, n,
    split_part(key, '/', 1) || '/' || split_part(key, '/', 2) || '/' || split_part(key, '/', 3) AS key
  FROM counter WHERE kind <> 'contacts';
DELETE FROM counter WHERE kind <> 'contacts';
INSERT INTO counter (org_id, kind, key, n) SELECT org_id, kind, key, SUM(n) FROM counter_before GROUP BY org_id, kind, key;
INSERT INTO counter (org_id, kind, key, n)
  SELECT org_id, kind || '/' || answers, key, SUM(n) FROM counter_before GROUP BY org_id, kind, answers, key;
DROP TABLE counter_before;
