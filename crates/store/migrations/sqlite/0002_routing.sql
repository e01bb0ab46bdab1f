-- Where calls go: rules, intervals, trunks, numbers, settings; and why they went there.

-- The client's revision with which its intervals, trunks, lists of rewritings, DIDs or settings
-- changed last.
ALTER TABLE clients ADD COLUMN routing_revision INTEGER NOT NULL DEFAULT 0;
-- The client's revision with which the extension's rules or its number for the outside did.
ALTER TABLE extensions ADD COLUMN routing_revision INTEGER NOT NULL DEFAULT 0;
-- E.164 digits of the number that it shows to the outside.
ALTER TABLE extensions ADD COLUMN ani TEXT;
-- Ids of rules are given out once within an extension.
ALTER TABLE extensions ADD COLUMN next_rule_id INTEGER NOT NULL DEFAULT 1;

CREATE INDEX extensions_rerouted ON extensions (client_id, routing_revision);
CREATE INDEX extensions_by_dial_rule ON extensions (client_id, dial_rule_id);
CREATE INDEX extensions_by_ani ON extensions (client_id, ani);

CREATE TABLE intervals (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    client_id  INTEGER NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    name       TEXT    NOT NULL,
    timezone   TEXT    NOT NULL,
    -- A list, as JSON.
    conditions TEXT    NOT NULL,
    -- The client's revision with which it changed last.
    revision   INTEGER NOT NULL
) STRICT;

CREATE INDEX intervals_changed ON intervals (client_id, revision);

CREATE TABLE rules (
    extension_id          INTEGER NOT NULL REFERENCES extensions (id) ON DELETE CASCADE,
    -- Unique within the extension.
    id                    INTEGER NOT NULL,
    client_id             INTEGER NOT NULL,
    -- In the order of evaluation.
    position              INTEGER NOT NULL,
    name                  TEXT,
    kind                  TEXT    NOT NULL CHECK (kind IN ('busy', 'transfer', 'simple_transfer', 'hangup', 'playfile', 'voicemail', 'cascade', 'simple_cascade')),
    enabled               INTEGER NOT NULL,
    is_final              INTEGER NOT NULL,
    caller_id             TEXT,
    caller_id_action      TEXT    NOT NULL CHECK (caller_id_action IN ('any', 'matches', 'not_matches', 'anonymous')),
    call_status           TEXT    NOT NULL CHECK (call_status IN ('any', 'busy', 'no_answer')),
    extension_call_status TEXT    NOT NULL CHECK (extension_call_status IN ('any', 'busy', 'no_answer')),
    extension_status      TEXT    NOT NULL CHECK (extension_status IN ('any', 'registered', 'unreachable')),
    interval_id           INTEGER REFERENCES intervals (id),
    playfile_sound        INTEGER,
    -- Numbers, separated by spaces.
    transfer_dst          TEXT    NOT NULL,
    transfer_timeout_s    INTEGER,
    -- A list, as JSON.
    cascade_numbers       TEXT    NOT NULL,
    allow_public_transfer INTEGER NOT NULL,
    ignore_early_media    INTEGER NOT NULL,
    enable_call_screening INTEGER NOT NULL,
    PRIMARY KEY (extension_id, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX rules_of_client ON rules (client_id, extension_id, position);
CREATE INDEX rules_by_interval ON rules (interval_id);
CREATE INDEX rules_by_sound ON rules (client_id, playfile_sound);

CREATE TABLE trunks (
    id                 INTEGER PRIMARY KEY AUTOINCREMENT,
    client_id          INTEGER NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    name               TEXT    NOT NULL,
    -- Lists, as JSON.
    hosts              TEXT    NOT NULL,
    addresses          TEXT    NOT NULL,
    transport          TEXT    NOT NULL CHECK (transport IN ('udp', 'tcp', 'tls')),
    -- What answers its challenges; both or neither.
    login              TEXT,
    password           TEXT,
    -- We register with it.
    register_expires_s INTEGER,
    patterns           TEXT    NOT NULL,
    country            TEXT    NOT NULL,
    did_from           TEXT    NOT NULL CHECK (did_from IN ('request-uri', 'to', 'p-called-party-id')),
    rewrite_in         TEXT    NOT NULL,
    rewrite_out        TEXT    NOT NULL,
    from_user          TEXT,
    identity           TEXT    NOT NULL CHECK (identity IN ('from', 'pai', 'rpid')),
    caller_id          TEXT    NOT NULL CHECK (caller_id IN ('original', 'diverting', 'fixed')),
    fixed_caller_id    TEXT,
    forwarding_headers TEXT    NOT NULL CHECK (forwarding_headers IN ('diversion', 'history-info', 'both', 'none')),
    update_display     INTEGER NOT NULL,
    channels           INTEGER,
    enabled            INTEGER NOT NULL,
    revision           INTEGER NOT NULL
) STRICT;

CREATE INDEX trunks_changed ON trunks (client_id, revision);

CREATE TABLE dial_rules (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    client_id INTEGER NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    -- A list of rewritings, as JSON.
    rules     TEXT    NOT NULL,
    revision  INTEGER NOT NULL
) STRICT;

CREATE INDEX dial_rules_changed ON dial_rules (client_id, revision);

CREATE TABLE dids (
    id                   INTEGER PRIMARY KEY AUTOINCREMENT,
    client_id            INTEGER NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    -- E.164 digits.
    number               TEXT    NOT NULL,
    -- As it was written.
    name                 TEXT    NOT NULL,
    extension_id         INTEGER REFERENCES extensions (id),
    allow_message        INTEGER NOT NULL,
    message_extension_id INTEGER REFERENCES extensions (id),
    comment              TEXT,
    created_us           INTEGER NOT NULL,
    revision             INTEGER NOT NULL,
    UNIQUE (client_id, number)
) STRICT;

CREATE INDEX dids_changed ON dids (client_id, revision);
-- A number leads to one client by one way in.
CREATE INDEX dids_by_number ON dids (number);
CREATE INDEX dids_by_extension ON dids (extension_id);
CREATE INDEX dids_by_message_extension ON dids (message_extension_id);

-- One row: who claims a number or a way in counts it, so that no two do so side by side.
CREATE TABLE did_claims (
    id     INTEGER PRIMARY KEY,
    claims INTEGER NOT NULL
) STRICT;

INSERT INTO did_claims (id, claims) VALUES (1, 0);

-- A client without a row has the defaults.
CREATE TABLE client_settings (
    client_id                  INTEGER PRIMARY KEY REFERENCES clients (id) ON DELETE CASCADE,
    decline_is_busy            INTEGER NOT NULL,
    -- Lists, as JSON.
    emergency_numbers          TEXT    NOT NULL,
    outside_allowed            TEXT    NOT NULL,
    country                    TEXT    NOT NULL,
    dial_rule_id               INTEGER REFERENCES dial_rules (id),
    -- E.164 digits of the number that the client shows to the outside.
    ani                        TEXT,
    outside_calls              INTEGER NOT NULL,
    outside_calls_per_minute   INTEGER NOT NULL,
    extension_calls            INTEGER NOT NULL,
    extension_calls_per_minute INTEGER NOT NULL,
    language                   TEXT    NOT NULL CHECK (language IN ('en', 'ru')),
    call_control_api           TEXT    NOT NULL CHECK (call_control_api IN ('open', 'groups')),
    valet_park_slots           INTEGER NOT NULL,
    park_fallback              TEXT,
    pickup_merge               TEXT    NOT NULL CHECK (pickup_merge IN ('chain', 'own')),
    interclient_calls          INTEGER NOT NULL
) STRICT;

CREATE INDEX client_settings_by_dial_rule ON client_settings (dial_rule_id);

-- 112 is an emergency number of every client from now on, except where a phone has that name.
INSERT INTO client_settings
SELECT client_id, 0, '[]', '[]', 'RU', NULL, NULL, 100, 120, 10, 20, 'en', 'open', 9, NULL, 'chain', 0
FROM extensions WHERE name = '112';

-- From the journal: why calls went where they went.
CREATE TABLE call_traces (
    client_id  INTEGER NOT NULL,
    call_uuid  TEXT    NOT NULL,
    began_us   INTEGER NOT NULL,
    called_did TEXT,
    -- NULL: hidden.
    caller     TEXT,
    -- A list, as JSON.
    lines      TEXT    NOT NULL,
    PRIMARY KEY (client_id, call_uuid)
) STRICT, WITHOUT ROWID;
