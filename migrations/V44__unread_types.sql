-- Types of events that an earlier version kept are read once more: one that is no plain word may name
-- a member, whom an erasure would not find there.
INSERT INTO foreign_text_unread
    SELECT 4, 0, max(position) FROM events HAVING max(position) IS NOT NULL;
