-- When a webhook was first heard of; of one that was heard of before, with its first event, or
-- when it was last heard of.
ALTER TABLE webhooks ADD COLUMN first_heard_at INTEGER;
UPDATE webhooks SET first_heard_at =
    min(coalesce(last_delivery_at, last_test_at), coalesce(last_test_at, last_delivery_at));

-- Visits of erased members that go on for some minutes, since the deletion was stamped ahead: how
-- many are present is exact meanwhile. Nothing tells whose they were, and they go when they end.
CREATE TABLE lingering (
    gym       INTEGER NOT NULL REFERENCES gyms (id),
    since     INTEGER NOT NULL,
    until     INTEGER NOT NULL,
    observed  INTEGER NOT NULL
) STRICT;
