-- Files: uploads, and what becomes of them. state is uploading (not whole yet), ready, attached (a message names it, so it stays)
-- or doomed (its files are being taken away). Only ready and attached ones are seen.
CREATE TABLE media (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  org_id BIGINT NOT NULL,
  state TEXT NOT NULL,
  object_key TEXT NOT NULL,
  thumbnail_key TEXT,
  content_type TEXT NOT NULL,
  size BIGINT NOT NULL,
  sha256 BLOB NOT NULL,
  name TEXT NOT NULL,
  width BIGINT,
  height BIGINT,
  created_ms BIGINT NOT NULL
);
CREATE INDEX media_unattached ON media (created_ms) WHERE state <> 'attached';

-- The list shows what a message of files alone holds. Until now it showed nothing: files came from providers, each with its type.
UPDATE conversation SET preview = (
  SELECT CASE
      WHEN c.photos = c.n THEN CASE WHEN c.n = 1 THEN 'Photo' ELSE CAST(c.n AS TEXT) || ' photos' END
      WHEN c.videos = c.n THEN CASE WHEN c.n = 1 THEN 'Video' ELSE CAST(c.n AS TEXT) || ' videos' END
      WHEN c.sounds = c.n THEN CASE WHEN c.n = 1 THEN 'Audio' ELSE CAST(c.n AS TEXT) || ' audio files' END
      WHEN c.n = 1 THEN 'File'
      ELSE CAST(c.n AS TEXT) || ' files' END
  FROM (SELECT
      (LENGTH(m.attachments) - LENGTH(REPLACE(m.attachments, '"content_type":"', ''))) / 16 AS n,
      (LENGTH(m.attachments) - LENGTH(REPLACE(m.attachments, '"content_type":"image/', ''))) / 22 AS photos,
      (LENGTH(m.attachments) - LENGTH(REPLACE(m.attachments, '"content_type":"video/', ''))) / 22 AS videos,
      (LENGTH(m.attachments) - LENGTH(REPLACE(m.attachments, '"content_type":"audio/', ''))) / 22 AS sounds
    FROM message m WHERE m.org_id = conversation.org_id AND m.conversation_id = conversation.id
    ORDER BY m.at_ms DESC, m.id DESC LIMIT 1) c)
WHERE preview = '' AND EXISTS (SELECT 1 FROM message m
  WHERE m.org_id = conversation.org_id AND m.conversation_id = conversation.id AND m.attachments IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM message l WHERE l.org_id = m.org_id AND l.conversation_id = m.conversation_id
      AND (l.at_ms, l.id) > (m.at_ms, m.id)));
