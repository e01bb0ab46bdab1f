-- Records and events are found by their call, whose UUID begins with its time: so what is written at
-- one time lies together, whichever clients and extensions it is of. An extension's records are found
-- among its client's of a time.

CREATE TABLE new_cdr_legs (
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
    asserted         TEXT,
    UNIQUE (call_uuid, client_id, sub_call_id)
) STRICT;

-- An id that was given once is never given again.
INSERT INTO sqlite_sequence (name, seq)
SELECT 'new_cdr_legs', seq FROM sqlite_sequence WHERE name = 'cdr_legs';

INSERT INTO new_cdr_legs (id, client_id, call_uuid, sub_call_id, extension_id, extension_name,
    extension_kind, flow, reason, status, init_us, answer_us, hangup_us, talk_us, from_username,
    from_domain, from_screen_name, to_username, to_domain, did_number, asserted)
SELECT id, client_id, call_uuid, sub_call_id, extension_id, extension_name,
    extension_kind, flow, reason, status, init_us, answer_us, hangup_us, talk_us, from_username,
    from_domain, from_screen_name, to_username, to_domain, did_number, asserted
FROM cdr_legs ORDER BY id;

DROP TABLE cdr_legs;
ALTER TABLE new_cdr_legs RENAME TO cdr_legs;

CREATE INDEX cdr_legs_in_time ON cdr_legs (client_id, init_us, extension_id);

CREATE TABLE new_events (
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
    UNIQUE (call_uuid, sequence, client_id)
) STRICT;

INSERT INTO sqlite_sequence (name, seq)
SELECT 'new_events', seq FROM sqlite_sequence WHERE name = 'events';

INSERT INTO new_events (id, client_id, call_uuid, sequence, extension_id, kind, time_us, body)
SELECT id, client_id, call_uuid, sequence, extension_id, kind, time_us, body
FROM events ORDER BY id;

DROP TABLE events;
ALTER TABLE new_events RENAME TO events;

CREATE INDEX events_in_order ON events (client_id, id);
