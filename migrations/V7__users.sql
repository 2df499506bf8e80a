-- People who look at the page: with a password, or by a link that is good once.

CREATE TABLE users (
    id            INTEGER PRIMARY KEY,
    name          TEXT NOT NULL UNIQUE,
    role          TEXT NOT NULL,
    -- Gyms are listed in user_gyms, unless it is all of them, also those to come.
    all_gyms      INTEGER NOT NULL,
    -- argon2id, in the PHC format. Null: only links lead in.
    password_hash TEXT,
    -- SHA-256 of the link's secret; null: there is no link, or it was used.
    link_hash     BLOB UNIQUE,
    link_until    INTEGER,
    created_at    INTEGER NOT NULL
) STRICT;

CREATE TABLE user_gyms (
    user INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    gym  INTEGER NOT NULL REFERENCES gyms (id),
    PRIMARY KEY (user, gym)
) STRICT, WITHOUT ROWID;

CREATE TABLE sessions (
    id           INTEGER PRIMARY KEY,
    user         INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- SHA-256 of what the cookie holds.
    hash         BLOB NOT NULL UNIQUE,
    created_at   INTEGER NOT NULL,
    -- Kept to the minute.
    last_used_at INTEGER NOT NULL
) STRICT;
