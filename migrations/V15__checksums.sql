-- For each table that nothing else proves: the sum of its rows' hashes, as footfall left it.

CREATE TABLE checksums (
    name     TEXT    PRIMARY KEY,
    -- The columns that it sums, with commas.
    columns  TEXT    NOT NULL,
    -- Of a table that grows for ever: only rows after this one are in it.
    since    INTEGER NOT NULL,
    sum      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
