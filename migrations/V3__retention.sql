-- Retention: how long events are kept, and what stays known of the members whose events went.

-- Events are kept for so many months; null: for ever.
ALTER TABLE gyms ADD COLUMN retain_months INTEGER DEFAULT 25;
-- What retention froze is older than this instant; null before it froze anything.
ALTER TABLE gyms ADD COLUMN frozen_until INTEGER;

-- Of the part of the member's timeline that is frozen: what later days must not count again, and
-- what its visits are remembered by. Null for a member whose whole timeline is in the log.
ALTER TABLE member_days ADD COLUMN past BLOB;
