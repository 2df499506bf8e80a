-- The time that was witnessed, so that nothing irreversible rests on one reading of the clock.

CREATE TABLE witness (
    id           INTEGER PRIMARY KEY CHECK (id = 1),
    -- It is at least so late: moved on only in steps that can be believed.
    at           INTEGER NOT NULL,
    -- For how long a service has run, in ms, while nothing said whether a clock far ahead is right.
    unconfirmed  INTEGER NOT NULL DEFAULT 0,
    -- Runs of retention that were left out because the clock could not be believed.
    skipped      INTEGER NOT NULL DEFAULT 0
) STRICT;
INSERT INTO witness (id, at) SELECT 1, at FROM heartbeat;

-- Those that lie in the future are looked for often.
CREATE INDEX tombstones_until ON tombstones (erased_until);
