-- What people know of days and no event tells: a holiday, a refit, a campaign.

CREATE TABLE annotations (
    id         INTEGER PRIMARY KEY,
    gym        INTEGER NOT NULL REFERENCES gyms (id),
    -- Local days since 1970-01-01; the last is in it.
    first_day  INTEGER NOT NULL,
    last_day   INTEGER NOT NULL,
    kind       TEXT    NOT NULL,
    text       TEXT    NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX annotations_gym ON annotations (gym, last_day);
