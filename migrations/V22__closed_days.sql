-- Closed days are annotations of the kind `closed`; any annotation may repeat each year by its date.

ALTER TABLE annotations ADD COLUMN yearly INTEGER NOT NULL DEFAULT 0;
