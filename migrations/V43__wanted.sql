-- The zone and the rules by which a gym is to be counted, from when they are said until it is: a stop
-- in between loses nothing that was said.
ALTER TABLE gyms ADD COLUMN wanted TEXT;
