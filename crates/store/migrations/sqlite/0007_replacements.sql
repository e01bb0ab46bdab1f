-- From the journal: extensions whose phones serve each other. Neither is in two pairs.
CREATE TABLE replacements (
    client_id    INTEGER NOT NULL,
    -- Who has begun it.
    extension_id INTEGER NOT NULL,
    with_id      INTEGER NOT NULL,
    since_us     INTEGER NOT NULL,
    PRIMARY KEY (client_id, extension_id)
) STRICT, WITHOUT ROWID;
