-- How far a build of a projection has come, so that who watches a rebuild sees it get on. Null and
-- 0 for what was built before, and for a gym's first projection.

ALTER TABLE generations ADD COLUMN gym INTEGER REFERENCES gyms (id);
ALTER TABLE generations ADD COLUMN position INTEGER NOT NULL DEFAULT 0;
