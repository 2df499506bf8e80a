-- An id is never given twice: what was begun in the name of a row that has gone must not reach the
-- next one. The rows stay as they are; only the tables say AUTOINCREMENT from now on. Building each
-- anew would fire what hangs on its rows by ON DELETE CASCADE, and move them to other pages.

PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(sql, 'INTEGER PRIMARY KEY,', 'INTEGER PRIMARY KEY AUTOINCREMENT,')
WHERE type = 'table' AND name IN ('users', 'sessions', 'tokens', 'gyms', 'webhooks', 'annotations', 'members');
PRAGMA writable_schema = RESET;

-- From here on a number that was given is known, also when its row goes before the next is added. A
-- change of the schema by its own means tells it to other connections, too.
INSERT INTO sqlite_sequence (name, seq)
SELECT 'users', coalesce(max(id), 0) FROM users UNION ALL
SELECT 'sessions', coalesce(max(id), 0) FROM sessions UNION ALL
SELECT 'tokens', coalesce(max(id), 0) FROM tokens UNION ALL
SELECT 'gyms', coalesce(max(id), 0) FROM gyms UNION ALL
SELECT 'webhooks', coalesce(max(id), 0) FROM webhooks UNION ALL
SELECT 'annotations', coalesce(max(id), 0) FROM annotations UNION ALL
SELECT 'members', coalesce(max(id), 0) FROM members;
CREATE INDEX sessions_user ON sessions (user);
