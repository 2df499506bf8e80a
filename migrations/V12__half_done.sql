-- What `footfall egym` began and has not seen the end of can be taken up again.

-- How long the old secret is good once a TEST came with the new one, in ms. Before that it has no
-- end: old_secret_until is null. Null: the old secret ends by the clock alone.
ALTER TABLE webhooks ADD COLUMN old_secret_overlap INTEGER;
-- What was begun with it at EGYM: `register` or `remove`. Null: nothing.
ALTER TABLE webhooks ADD COLUMN begun TEXT;
