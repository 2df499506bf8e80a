-- How much of the way to the witnessed time nothing but the clock has told, in ms.
ALTER TABLE witness ADD COLUMN lead INTEGER NOT NULL DEFAULT 0;
-- What the clock said when it was first seen behind the witnessed time; null while it is not. If it
-- turns out to be right, it has been right since.
ALTER TABLE witness ADD COLUMN behind_since INTEGER;
