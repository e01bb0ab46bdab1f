-- Moments are microseconds since the Unix epoch (*_us); ids given out once are never given again.

CREATE TABLE clients (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    key           TEXT    NOT NULL UNIQUE,
    name          TEXT    NOT NULL,
    domain        TEXT    NOT NULL,
    domain_prefix TEXT    NOT NULL,
    prefix        TEXT    NOT NULL,
    extension_len INTEGER NOT NULL CHECK (extension_len BETWEEN 2 AND 4),
    status        TEXT    NOT NULL CHECK (status IN ('active', 'blocked')),
    calls_max     INTEGER NOT NULL,
    timezone      TEXT    NOT NULL,
    created_us    INTEGER NOT NULL,
    -- Rises with every change of this client's configuration.
    revision      INTEGER NOT NULL,
    UNIQUE (domain, prefix)
) STRICT;

CREATE TABLE extensions (
    id                            INTEGER PRIMARY KEY AUTOINCREMENT,
    client_id                     INTEGER NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    name                          TEXT    NOT NULL,
    kind                          TEXT    NOT NULL CHECK (kind IN ('phone', 'queue', 'ivr', 'echo')),
    status                        TEXT    NOT NULL CHECK (status IN ('active', 'blocked')),
    label                         TEXT    NOT NULL,
    caller_id_name                TEXT,
    extension_group_id            INTEGER,
    created_us                    INTEGER NOT NULL,
    extra_params                  TEXT,
    dial_rule_id                  INTEGER,
    dial_rule_limit               INTEGER,
    ani_rfc3325                   INTEGER NOT NULL,
    did_as_transfer_caller_id     TEXT,
    message_did                   TEXT,
    public_caller_id_number       TEXT,
    rfc_public_caller_id_number   INTEGER NOT NULL,
    from_public_caller_id_number  INTEGER NOT NULL,
    -- The client's revision with which this extension, or its phone, changed last.
    revision                      INTEGER NOT NULL,
    UNIQUE (client_id, name)
) STRICT;

CREATE INDEX extensions_changed ON extensions (client_id, revision);

-- Extension ids have six digits or more.
INSERT INTO sqlite_sequence (name, seq) VALUES ('extensions', 99999);

CREATE TABLE phones (
    extension_id                       INTEGER PRIMARY KEY REFERENCES extensions (id) ON DELETE CASCADE,
    client_id                          INTEGER NOT NULL,
    -- Digest user; a node knows a phone by it alone.
    login                              TEXT    NOT NULL UNIQUE,
    password                           TEXT    NOT NULL,
    auth_type                          TEXT    NOT NULL CHECK (auth_type IN ('digest', 'network', 'both')),
    incoming_limit                     INTEGER,
    ring_timeout_s                     INTEGER,
    announce_sound_upon_outgoing_call  INTEGER,
    announce_sound_upon_incoming_call  INTEGER,
    append_to_cid_name_on_transfer     TEXT,
    call_screening_enabled             INTEGER NOT NULL,
    conference_announce_caller_name    INTEGER NOT NULL,
    conference_end_on_exit             INTEGER NOT NULL,
    conference_pin                     TEXT,
    allow_webrtc                       INTEGER NOT NULL,
    record_enabled                     INTEGER NOT NULL,
    record_transfer                    INTEGER NOT NULL,
    record_format                      TEXT,
    record_stereo                      INTEGER NOT NULL,
    hold_music                         INTEGER,
    ringback_sound                     INTEGER,
    geo_list                           TEXT,
    replace_pin                        TEXT,
    vm_enabled                         INTEGER NOT NULL,
    vm_pin                             TEXT,
    vm_greeting                        INTEGER,
    vm_attach_file                     INTEGER NOT NULL,
    vm_mailto                          TEXT,
    keypad_codes                       INTEGER NOT NULL
) STRICT;

CREATE TABLE users (
    id                 INTEGER PRIMARY KEY AUTOINCREMENT,
    client_id          INTEGER NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    -- At most one of the two: a user of an extension or of a group; neither: of the client.
    extension_id       INTEGER REFERENCES extensions (id) ON DELETE CASCADE,
    extension_group_id INTEGER,
    login              TEXT    NOT NULL UNIQUE,
    name               TEXT    NOT NULL,
    email              TEXT    NOT NULL,
    password_hash      TEXT    NOT NULL,
    access             TEXT    NOT NULL CHECK (access IN ('full', 'read_only')),
    status             TEXT    NOT NULL CHECK (status IN ('active', 'blocked')),
    timezone           TEXT    NOT NULL,
    comment            TEXT,
    extra_params       TEXT,
    created_us         INTEGER NOT NULL,
    CHECK (extension_id IS NULL OR extension_group_id IS NULL)
) STRICT;

CREATE INDEX users_of_client ON users (client_id);
CREATE INDEX users_of_extension ON users (extension_id);

CREATE TABLE applications (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    client_id     INTEGER NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    -- Who made it; a trusted application's tokens act for this user.
    user_id       INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    app_id        TEXT    NOT NULL UNIQUE,
    secret_hash   BLOB    NOT NULL,
    name          TEXT    NOT NULL,
    kind          TEXT    NOT NULL CHECK (kind IN ('trusted', 'public', 'password_credentials')),
    access        TEXT    NOT NULL CHECK (access IN ('Call API', 'All')),
    redirect_urls TEXT    NOT NULL,
    created_us    INTEGER NOT NULL
) STRICT;

CREATE INDEX applications_of_client ON applications (client_id);
CREATE INDEX applications_of_user ON applications (user_id);

CREATE TABLE tokens (
    hash           BLOB    PRIMARY KEY,
    kind           TEXT    NOT NULL CHECK (kind IN ('access', 'refresh')),
    client_id      INTEGER NOT NULL,
    user_id        INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    application_id INTEGER NOT NULL REFERENCES applications (id) ON DELETE CASCADE,
    created_us     INTEGER NOT NULL,
    expires_us     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX tokens_of_user ON tokens (user_id, application_id, kind, created_us);
CREATE INDEX tokens_of_application ON tokens (application_id);
CREATE INDEX tokens_expiry ON tokens (expires_us);

-- From here on: what the journal says. No references into the configuration, which may be gone
-- by the time a record is loaded.

CREATE TABLE bindings (
    client_id    INTEGER NOT NULL,
    extension_id INTEGER NOT NULL,
    device_id    INTEGER NOT NULL,
    contact      TEXT    NOT NULL,
    call_id      TEXT    NOT NULL,
    cseq         INTEGER NOT NULL,
    q            INTEGER NOT NULL,
    expires_us   INTEGER NOT NULL,
    transport    TEXT    NOT NULL,
    local        TEXT    NOT NULL,
    remote       TEXT    NOT NULL,
    path         TEXT    NOT NULL,
    user_agent   TEXT    NOT NULL,
    instance     TEXT,
    PRIMARY KEY (client_id, extension_id, device_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE cdr_legs (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    client_id        INTEGER NOT NULL,
    call_uuid        TEXT    NOT NULL,
    sub_call_id      TEXT    NOT NULL,
    extension_id     INTEGER NOT NULL,
    extension_name   TEXT    NOT NULL,
    extension_kind   TEXT    NOT NULL,
    flow             TEXT    NOT NULL CHECK (flow IN ('in', 'out', 'transfer')),
    reason           TEXT    NOT NULL,
    status           INTEGER,
    init_us          INTEGER NOT NULL,
    answer_us        INTEGER,
    hangup_us        INTEGER NOT NULL,
    talk_us          INTEGER NOT NULL,
    from_username    TEXT    NOT NULL,
    from_domain      TEXT    NOT NULL,
    from_screen_name TEXT    NOT NULL,
    to_username      TEXT    NOT NULL,
    to_domain        TEXT    NOT NULL,
    did_number       TEXT,
    UNIQUE (client_id, sub_call_id)
) STRICT;

CREATE INDEX cdr_legs_of_call ON cdr_legs (client_id, call_uuid);
CREATE INDEX cdr_legs_in_time ON cdr_legs (client_id, init_us);
CREATE INDEX cdr_legs_of_extension ON cdr_legs (client_id, extension_id, init_us);

CREATE TABLE events (
    -- The order in which they were loaded: where a reader of the stream goes on.
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    client_id    INTEGER NOT NULL,
    call_uuid    TEXT    NOT NULL,
    sequence     INTEGER NOT NULL,
    extension_id INTEGER NOT NULL,
    kind         TEXT    NOT NULL,
    time_us      INTEGER NOT NULL,
    -- The whole event in its final form, as JSON.
    body         TEXT    NOT NULL,
    UNIQUE (client_id, call_uuid, sequence)
) STRICT;

CREATE INDEX events_in_order ON events (client_id, id);

CREATE TABLE saved_calls (
    client_id INTEGER NOT NULL,
    call_id   INTEGER NOT NULL,
    exchange  BLOB    NOT NULL,
    stack     BLOB    NOT NULL,
    PRIMARY KEY (client_id, call_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE journal_positions (
    node     INTEGER NOT NULL,
    shard    INTEGER NOT NULL,
    -- The last record of this journal that is in the tables.
    sequence INTEGER NOT NULL,
    PRIMARY KEY (node, shard)
) STRICT, WITHOUT ROWID;
