-- Which history of the database this is, and to which key it belongs.

CREATE TABLE identity (
    id         INTEGER PRIMARY KEY CHECK (id = 1),
    -- Random, and another after each restore: positions and revisions are given a second time then.
    epoch      INTEGER NOT NULL,
    -- A keyed hash of fixed words: tells whether a key is the one that accounts were hashed with.
    -- Null until the first open.
    key_check  BLOB
) STRICT;

INSERT INTO identity (id, epoch) VALUES (1, random());
