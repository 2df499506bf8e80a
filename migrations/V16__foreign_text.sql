-- Erasures cut where a deletion was received, and foreign text is kept so that it can be searched.

-- No visit of the member goes on beyond it. Null: `erased_until` is the cut as well.
ALTER TABLE erasures ADD COLUMN cut_at INTEGER;
