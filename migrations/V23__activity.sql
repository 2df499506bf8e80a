-- Activity is counted from here on; what an earlier version built is built anew beside what is read.

ALTER TABLE generations ADD COLUMN version INTEGER NOT NULL DEFAULT 0;
-- Whether the activity of what was frozen before is in the frozen sums.
ALTER TABLE gyms ADD COLUMN frozen_activity INTEGER NOT NULL DEFAULT 0;
