-- Events that did not come as deliveries, but from a club's own system.
ALTER TABLE events ADD COLUMN imported INTEGER NOT NULL DEFAULT 0;
