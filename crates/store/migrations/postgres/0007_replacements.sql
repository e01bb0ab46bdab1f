-- From the journal: extensions whose phones serve each other. Neither is in two pairs.
CREATE TABLE replacements (
    client_id    BIGINT  NOT NULL,
    -- Who has begun it.
    extension_id BIGINT  NOT NULL,
    with_id      BIGINT  NOT NULL,
    since_us     BIGINT  NOT NULL,
    PRIMARY KEY (client_id, extension_id)
);
