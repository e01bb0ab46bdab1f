-- From the journal: how many wrong PINs were said, until they count no more.
CREATE TABLE wrong_pins (
    client_id BIGINT  NOT NULL,
    -- Whose PIN it is.
    target_id BIGINT  NOT NULL,
    -- Who has said them; 0: all together.
    actor_id  BIGINT  NOT NULL,
    kind      TEXT    NOT NULL CHECK (kind IN ('replace', 'mailbox')),
    wrong     BIGINT  NOT NULL,
    until_us  BIGINT  NOT NULL,
    PRIMARY KEY (client_id, target_id, actor_id, kind)
);
