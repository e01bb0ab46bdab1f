-- Call control groups: a client without a row has the defaults.
CREATE TABLE control_groups (
    client_id BIGINT PRIMARY KEY REFERENCES clients (id) ON DELETE CASCADE,
    -- The document that was written, as JSON.
    document  TEXT    NOT NULL,
    revision  BIGINT  NOT NULL
);

-- Who tried or did what to whose call. Rows are only added; each carries the hash of all before it.
CREATE TABLE audit (
    client_id     BIGINT  NOT NULL,
    -- From 1, without a gap.
    number        BIGINT  NOT NULL,
    time_us       BIGINT  NOT NULL,
    source        TEXT    NOT NULL,
    actor_id      BIGINT,
    actor_name    TEXT,
    user_id       BIGINT,
    user_login    TEXT,
    application   TEXT,
    action        TEXT    NOT NULL,
    target_id     BIGINT,
    target_name   TEXT,
    call_uuid     TEXT,
    allowed       BOOLEAN NOT NULL,
    clause        TEXT    NOT NULL,
    -- A list, as JSON.
    clause_groups TEXT    NOT NULL,
    detail        TEXT,
    -- SHA-256 of the hash before it and of the columns above.
    hash          BYTEA   NOT NULL,
    PRIMARY KEY (client_id, number)
);

-- The end of each client's chain: what was cut off there would else not be missed.
CREATE TABLE audit_heads (
    client_id BIGINT PRIMARY KEY,
    number    BIGINT  NOT NULL,
    hash      BYTEA   NOT NULL
);
