-- Erasures cut where a deletion was received, and text of others is kept so that it can be searched.

-- No visit of the member goes on beyond it. Null: `erased_until` is the cut as well.
ALTER TABLE erasures ADD COLUMN cut_at INTEGER;

-- How long the body was, and a keyed hash of it, where it is not kept as it was received.
ALTER TABLE quarantine ADD COLUMN body_bytes INTEGER;
ALTER TABLE quarantine ADD COLUMN body_hash BLOB;

-- Accounts that are named in text of others, as keyed hashes: in the body of a row of `quarantine`
-- (place 1), or in the fields of a row of `extras` (place 2).
CREATE TABLE foreign_accounts (
    gym           INTEGER NOT NULL,
    account_hash  BLOB    NOT NULL,
    place         INTEGER NOT NULL,
    row           INTEGER NOT NULL,
    PRIMARY KEY (gym, account_hash, place, row)
) STRICT, WITHOUT ROWID;

-- What older versions wrote there is read once, up to the row that was the last then.
CREATE TABLE foreign_text_unread (
    place       INTEGER PRIMARY KEY,
    read_until  INTEGER NOT NULL,
    until       INTEGER NOT NULL
) STRICT;
INSERT INTO foreign_text_unread SELECT 1, 0, max(id) FROM quarantine HAVING count(*) > 0;
INSERT INTO foreign_text_unread SELECT 2, 0, max(position) FROM extras HAVING count(*) > 0;

-- What each gym's quarantine holds, kept by the triggers below.
CREATE TABLE quarantine_held (
    gym    INTEGER PRIMARY KEY,
    rows   INTEGER NOT NULL,
    bytes  INTEGER NOT NULL
) STRICT;
INSERT INTO quarantine_held
    SELECT gym, count(*), sum(length(body)) FROM quarantine WHERE body IS NOT NULL GROUP BY gym;
CREATE TRIGGER quarantine_added AFTER INSERT ON quarantine WHEN NEW.body IS NOT NULL BEGIN
    INSERT INTO quarantine_held VALUES (NEW.gym, 1, length(NEW.body))
        ON CONFLICT DO UPDATE SET rows = rows + 1, bytes = bytes + excluded.bytes;
END;
CREATE TRIGGER quarantine_changed AFTER UPDATE OF body ON quarantine WHEN OLD.body IS NOT NULL BEGIN
    UPDATE quarantine_held SET rows = rows - (NEW.body IS NULL),
        bytes = bytes - length(OLD.body) + coalesce(length(NEW.body), 0) WHERE gym = NEW.gym;
END;
CREATE TRIGGER quarantine_removed AFTER DELETE ON quarantine WHEN OLD.body IS NOT NULL BEGIN
    UPDATE quarantine_held SET rows = rows - 1, bytes = bytes - length(OLD.body)
        WHERE gym = OLD.gym;
END;

-- Deliveries that were only counted, since the gym's quarantine was full: one row of `quarantine`
-- stands for all of a reason and a day (UTC, since 1970).
CREATE TABLE quarantine_counted (
    gym         INTEGER NOT NULL,
    reason      TEXT    NOT NULL,
    day         INTEGER NOT NULL,
    row         INTEGER NOT NULL,
    deliveries  INTEGER NOT NULL,
    PRIMARY KEY (gym, reason, day)
) STRICT, WITHOUT ROWID;
CREATE INDEX quarantine_counted_row ON quarantine_counted (row);
