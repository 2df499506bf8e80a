-- What was noted of whom a text of others names goes with the text, however that goes.
CREATE INDEX foreign_accounts_row ON foreign_accounts (place, row);
CREATE TRIGGER quarantine_emptied AFTER UPDATE OF body ON quarantine WHEN NEW.body IS NULL BEGIN
    DELETE FROM foreign_accounts WHERE place = 1 AND row = OLD.id;
END;
CREATE TRIGGER extras_emptied AFTER UPDATE OF fields ON extras WHEN NEW.fields IS NULL BEGIN
    DELETE FROM foreign_accounts WHERE place = 2 AND row = OLD.position;
END;
CREATE TRIGGER type_written_over AFTER UPDATE OF type ON events BEGIN
    DELETE FROM foreign_accounts WHERE place = 4 AND row = OLD.position;
END;
CREATE TRIGGER type_removed AFTER DELETE ON events BEGIN
    DELETE FROM foreign_accounts WHERE place = 4 AND row = OLD.position;
END;
-- What was left of texts that are gone.
DELETE FROM foreign_accounts WHERE
    place = 1 AND NOT EXISTS (SELECT 1 FROM quarantine WHERE id = row AND body IS NOT NULL)
    OR place = 2 AND NOT EXISTS (SELECT 1 FROM extras WHERE position = row AND fields IS NOT NULL)
    OR place = 4 AND NOT EXISTS (SELECT 1 FROM events WHERE position = row);
