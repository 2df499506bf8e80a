-- A gym with two webhooks gets each event twice, so that one brings what the other lost.

-- Webhooks that have yet to bring it: 8 bytes for each, zeros when it did. Null: none.
ALTER TABLE events ADD COLUMN awaited_from BLOB;
CREATE INDEX webhooks_gym ON webhooks (gym);

-- By the quarter of an hour in which they happened: events that came through any webhook of its gym
-- while this one stood beside another, and how many of them have not come through this one.
CREATE TABLE redundancy (
    webhook  INTEGER NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    quarter  INTEGER NOT NULL,
    events   INTEGER NOT NULL,
    missed   INTEGER NOT NULL,
    PRIMARY KEY (webhook, quarter)
) STRICT, WITHOUT ROWID;
