-- What one hears who is held by an extension without music of its own, and whether extensions and
-- parking slots can be watched.
ALTER TABLE client_settings ADD COLUMN hold_music BIGINT;
ALTER TABLE client_settings ADD COLUMN presence BOOLEAN NOT NULL DEFAULT TRUE;
