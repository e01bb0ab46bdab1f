-- From the journal: how many wrong PINs were said, until they count no more.
CREATE TABLE wrong_pins (
    client_id INTEGER NOT NULL,
    -- Whose PIN it is.
    target_id INTEGER NOT NULL,
    -- Who has said them; 0: all together.
    actor_id  INTEGER NOT NULL,
    kind      TEXT    NOT NULL CHECK (kind IN ('replace', 'mailbox')),
    wrong     INTEGER NOT NULL,
    until_us  INTEGER NOT NULL,
    PRIMARY KEY (client_id, target_id, actor_id, kind)
) STRICT, WITHOUT ROWID;
