-- Sounds that clients have uploaded, messages in voicemails. The sounds themselves are files.

CREATE TABLE sounds (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    client_id  INTEGER NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    title      TEXT    NOT NULL,
    -- As it was uploaded.
    filename   TEXT    NOT NULL,
    -- 32 hexadecimal digits: the name of the converted file.
    file       TEXT    NOT NULL UNIQUE,
    length_ms  INTEGER NOT NULL,
    -- Size of the file.
    bytes      INTEGER NOT NULL,
    created_us INTEGER NOT NULL,
    -- The client's revision with which it changed last.
    revision   INTEGER NOT NULL
) STRICT;

CREATE INDEX sounds_changed ON sounds (client_id, revision);

-- From the journal, as all that has no reference into the configuration.
CREATE TABLE messages (
    -- 32 hexadecimal digits: the name of its file.
    file          TEXT    PRIMARY KEY,
    client_id     INTEGER NOT NULL,
    extension_id  INTEGER NOT NULL,
    call_uuid     TEXT    NOT NULL,
    sub_call_id   TEXT    NOT NULL,
    -- Empty: hidden.
    caller_number TEXT    NOT NULL,
    caller_name   TEXT    NOT NULL,
    called_did    TEXT,
    time_us       INTEGER NOT NULL,
    length_ms     INTEGER NOT NULL,
    -- Size of the file.
    bytes         INTEGER NOT NULL,
    heard         INTEGER NOT NULL,
    -- Whose journal it was in: that node has the file.
    node          INTEGER NOT NULL,
    -- When to mail it, or to try again; NULL: it was mailed, or nobody wants it mailed.
    mail_due_us   INTEGER,
    mail_attempts INTEGER NOT NULL,
    mailed        INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX messages_in_time ON messages (client_id, time_us);
CREATE INDEX messages_of_extension ON messages (client_id, extension_id, time_us);
CREATE INDEX messages_to_mail ON messages (node, mail_due_us);
