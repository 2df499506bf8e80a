-- A webhook's secret can be changed without losing what is under way with the one before it.

-- The secret before the last change; it is good until that instant. Null: none.
ALTER TABLE webhooks ADD COLUMN old_secret_hash BLOB;
ALTER TABLE webhooks ADD COLUMN old_secret_until INTEGER;
-- When a TEST last came with the secret itself, not with the one before it.
ALTER TABLE webhooks ADD COLUMN secret_tested_at INTEGER;
