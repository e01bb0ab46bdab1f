-- Call control groups: a client without a row has the defaults.
CREATE TABLE control_groups (
    client_id INTEGER PRIMARY KEY REFERENCES clients (id) ON DELETE CASCADE,
    -- The document that was written, as JSON.
    document  TEXT    NOT NULL,
    revision  INTEGER NOT NULL
) STRICT;

-- Who tried or did what to whose call. Rows are only added; each carries the hash of all before it.
CREATE TABLE audit (
    client_id     INTEGER NOT NULL,
    -- From 1, without a gap.
    number        INTEGER NOT NULL,
    time_us       INTEGER NOT NULL,
    source        TEXT    NOT NULL,
    actor_id      INTEGER,
    actor_name    TEXT,
    user_id       INTEGER,
    user_login    TEXT,
    application   TEXT,
    action        TEXT    NOT NULL,
    target_id     INTEGER,
    target_name   TEXT,
    call_uuid     TEXT,
    allowed       INTEGER NOT NULL,
    clause        TEXT    NOT NULL,
    -- A list, as JSON.
    clause_groups TEXT    NOT NULL,
    detail        TEXT,
    -- SHA-256 of the hash before it and of the columns above.
    hash          BLOB    NOT NULL,
    PRIMARY KEY (client_id, number)
) STRICT, WITHOUT ROWID;

-- The end of each client's chain: what was cut off there would else not be missed.
CREATE TABLE audit_heads (
    client_id INTEGER PRIMARY KEY,
    number    INTEGER NOT NULL,
    hash      BLOB    NOT NULL
) STRICT;
