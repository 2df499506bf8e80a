-- The event log, the projection over it, and the configuration. Instants are UTC milliseconds.

CREATE TABLE gyms (
    id            INTEGER PRIMARY KEY,
    slug          TEXT    NOT NULL UNIQUE,
    name          TEXT    NOT NULL,
    time_zone     TEXT    NOT NULL,
    capacity      INTEGER,
    -- The rules, in minutes.
    visit_window  INTEGER NOT NULL,
    assumed_stay  INTEGER NOT NULL,
    assumed_tail  INTEGER NOT NULL,
    rejoin_grace  INTEGER NOT NULL,
    -- Which build of the projection is read.
    generation    INTEGER NOT NULL REFERENCES generations (id),
    -- The last position of the log that was applied for this gym.
    position      INTEGER NOT NULL DEFAULT 0,
    -- Grows with every change that any report on this gym could show.
    revision      INTEGER NOT NULL DEFAULT 0,
    created_at    INTEGER NOT NULL
) STRICT;

-- One row for each build of a gym's projection; never a number twice.
CREATE TABLE generations (
    id  INTEGER PRIMARY KEY AUTOINCREMENT
) STRICT;

CREATE TABLE webhooks (
    id                INTEGER PRIMARY KEY,
    public_id         TEXT    NOT NULL UNIQUE,
    gym               INTEGER NOT NULL REFERENCES gyms (id),
    secret_hash       BLOB    NOT NULL,
    created_at        INTEGER NOT NULL,
    last_delivery_at  INTEGER,
    last_test_at      INTEGER
) STRICT;

CREATE TABLE tokens (
    id            INTEGER PRIMARY KEY,
    name          TEXT    NOT NULL UNIQUE,
    token_hash    BLOB    NOT NULL UNIQUE,
    role          TEXT    NOT NULL CHECK (role IN ('viewer', 'manager', 'admin')),
    -- 1: all gyms, also those to come; 0: those in token_gyms.
    all_gyms      INTEGER NOT NULL,
    created_at    INTEGER NOT NULL,
    last_used_at  INTEGER
) STRICT;

CREATE TABLE token_gyms (
    token  INTEGER NOT NULL REFERENCES tokens (id) ON DELETE CASCADE,
    gym    INTEGER NOT NULL REFERENCES gyms (id),
    PRIMARY KEY (token, gym)
) STRICT, WITHOUT ROWID;

-- The only place of an account. It is found by a keyed hash, and erased by writing zeros over it
-- in place, so that no other page ever holds a copy.
CREATE TABLE members (
    id           INTEGER PRIMARY KEY,
    gym          INTEGER NOT NULL REFERENCES gyms (id),
    account      BLOB    NOT NULL,
    account_key  INTEGER NOT NULL
) STRICT;
CREATE INDEX members_account_key ON members (account_key);

-- The log. AUTOINCREMENT: a position is never given twice, also after the newest was erased.
CREATE TABLE events (
    position     INTEGER PRIMARY KEY AUTOINCREMENT,
    gym          INTEGER NOT NULL,
    member       INTEGER NOT NULL,
    at           INTEGER NOT NULL,
    type         TEXT    NOT NULL,
    received_at  INTEGER NOT NULL
) STRICT;
CREATE INDEX events_gym ON events (gym);

-- Fields of a delivery that we do not know. They may name the member again, so they stand apart:
-- rows are only added at the end, and emptied in place, never deleted. A page whose rows are never
-- moved to another leaves no copy behind.
CREATE TABLE extras (
    position  INTEGER PRIMARY KEY,
    fields    TEXT
) STRICT;

-- What each stretch contributed to the tallies, with the events it was folded from: found by
-- member and time, so the log itself needs no index of identities.
CREATE TABLE receipts (
    generation     INTEGER NOT NULL,
    member         INTEGER NOT NULL,
    start          INTEGER NOT NULL,
    last           INTEGER NOT NULL,
    present_until  INTEGER NOT NULL,
    entries        BLOB    NOT NULL,
    fold           BLOB    NOT NULL,
    PRIMARY KEY (generation, member, start)
) STRICT, WITHOUT ROWID;
CREATE INDEX receipts_present ON receipts (generation, present_until);

-- What each member contributed across stretches.
CREATE TABLE member_days (
    generation  INTEGER NOT NULL,
    member      INTEGER NOT NULL,
    -- The local day of the last visit; null without visits.
    last_day    INTEGER,
    days        BLOB    NOT NULL,
    PRIMARY KEY (generation, member)
) STRICT, WITHOUT ROWID;

-- slot = generation << 28 | family << 20 | bucket: one number, so that a range of buckets is a
-- range of rows and a row holds up to a page.
CREATE TABLE tallies (
    slot   INTEGER PRIMARY KEY,
    cells  BLOB NOT NULL
) STRICT;

-- Sums that belong to no receipt any more, or never did: slot = gym << 28 | family << 20 | bucket.
CREATE TABLE frozen (
    slot   INTEGER PRIMARY KEY,
    cells  BLOB NOT NULL
) STRICT;

-- Authenticated deliveries that could not be appended, as received. A body that was released or
-- erased becomes null; like `extras`, rows are never deleted.
CREATE TABLE quarantine (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    gym          INTEGER NOT NULL REFERENCES gyms (id),
    webhook      INTEGER NOT NULL,
    received_at  INTEGER NOT NULL,
    reason       TEXT    NOT NULL,
    detail       TEXT    NOT NULL,
    body         BLOB
) STRICT;
CREATE INDEX quarantine_waiting ON quarantine (gym) WHERE body IS NOT NULL;

-- One row, written to prove that the disk still takes writes.
CREATE TABLE heartbeat (
    id  INTEGER PRIMARY KEY CHECK (id = 1),
    at  INTEGER NOT NULL
) STRICT;
