-- What the file of a recording is, and what it is to become: 'wav' or 'opus'. Either form has the
-- name of the row.
ALTER TABLE recordings ADD COLUMN format TEXT NOT NULL DEFAULT 'wav';
ALTER TABLE recordings ADD COLUMN wanted TEXT NOT NULL DEFAULT 'wav';
-- When to convert it, or to try again; NULL: it stays what it is.
ALTER TABLE recordings ADD COLUMN convert_due_us BIGINT;
ALTER TABLE recordings ADD COLUMN convert_attempts BIGINT NOT NULL DEFAULT 0;

CREATE INDEX recordings_to_convert ON recordings (node, convert_due_us)
    WHERE convert_due_us IS NOT NULL;
CREATE INDEX recordings_in_time ON recordings (client_id, time_us, file);
CREATE INDEX recordings_of_extension ON recordings (client_id, extension_id, time_us, file);
