-- Imports, each with what it brought, so that it can be undone; gyms that were archived or removed.

CREATE TABLE imports (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    -- The file's name without its folder.
    file        TEXT    NOT NULL,
    -- The gyms whose events were in it: their slugs, with commas between.
    gyms        TEXT    NOT NULL DEFAULT '',
    started_at  INTEGER NOT NULL,
    -- `open` while it runs, or when it was interrupted; `done`, `undoing`, `undone`.
    state       TEXT    NOT NULL DEFAULT 'open',
    brought     INTEGER NOT NULL DEFAULT 0,
    duplicate   INTEGER NOT NULL DEFAULT 0,
    -- How far it was undone, and what came of that.
    undone_to   INTEGER NOT NULL DEFAULT 0,
    undone_at   INTEGER,
    taken_back  INTEGER NOT NULL DEFAULT 0,
    kept        INTEGER NOT NULL DEFAULT 0,
    gone        INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Runs of positions, from the first to the last, that an import brought (1), or that were in the
-- log already when it came with the same events (0). One transaction's positions are a run, so this
-- is far smaller than a row for each event.
CREATE TABLE import_runs (
    import   INTEGER NOT NULL REFERENCES imports (id),
    brought  INTEGER NOT NULL,
    first    INTEGER NOT NULL,
    last     INTEGER NOT NULL,
    PRIMARY KEY (import, brought, first)
) STRICT, WITHOUT ROWID;
CREATE INDEX import_runs_brought ON import_runs (brought, first);

-- Events that an import brought and a webhook delivered later: without the import, the delivery
-- would have been the event. `settled` when the import was undone, and it is.
CREATE TABLE import_deliveries (
    position     INTEGER PRIMARY KEY,
    received_at  INTEGER NOT NULL,
    settled      INTEGER NOT NULL DEFAULT 0
) STRICT;

-- When a gym was archived; null: it is open.
ALTER TABLE gyms ADD COLUMN archived_at INTEGER;
-- When the removal of a gym began; null: never. The row stays, empty, so that its number is never
-- given to another gym.
ALTER TABLE gyms ADD COLUMN removed_at INTEGER;
