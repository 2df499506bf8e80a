-- Erasure: what must be forgotten, what was, and what may not come back.

-- A keyed hash of gym and account, and up to when they were erased; no more.
CREATE TABLE tombstones (
    gym           INTEGER NOT NULL REFERENCES gyms (id),
    account_hash  BLOB    NOT NULL,
    erased_until  INTEGER NOT NULL,
    PRIMARY KEY (gym, account_hash)
) STRICT, WITHOUT ROWID;

CREATE TABLE erasures (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    gym           INTEGER NOT NULL REFERENCES gyms (id),
    -- Whom to erase; null as soon as it is done.
    member        INTEGER,
    -- Events up to and including this instant are erased.
    erased_until  INTEGER NOT NULL,
    reason        TEXT    NOT NULL CHECK (reason IN ('membership_delete', 'manual', 'restore')),
    requested_at  INTEGER NOT NULL,
    -- When it was gone from the database, and when from every file beside it.
    erased_at     INTEGER,
    completed_at  INTEGER,
    events        INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX erasures_open ON erasures (id) WHERE completed_at IS NULL;

-- A build of a projection that an erasure passed by: it must begin again.
ALTER TABLE generations ADD COLUMN stale INTEGER NOT NULL DEFAULT 0;
