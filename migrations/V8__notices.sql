-- What managers were told last, so that a restart tells nobody twice.

CREATE TABLE notices (
    gym        INTEGER NOT NULL REFERENCES gyms (id),
    -- `daily`, `weekly`, or the cause of an alert.
    subject    TEXT    NOT NULL,
    -- A hash of the address or URL it went to, which may be a secret.
    recipient  BLOB    NOT NULL,
    -- Of a digest the end of its period; of an alert when it was said.
    at         INTEGER NOT NULL,
    -- Of an alert: 1 when it was said to hold, 0 when it was said to be over.
    holds      INTEGER NOT NULL,
    PRIMARY KEY (gym, subject, recipient)
) STRICT, WITHOUT ROWID;
