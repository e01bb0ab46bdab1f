-- From the journal: talks that were recorded. The sounds themselves are files.
CREATE TABLE recordings (
    -- 32 hexadecimal digits: the name of its file, and the second half of its record_uuid.
    file          TEXT    PRIMARY KEY,
    client_id     BIGINT  NOT NULL,
    extension_id  BIGINT  NOT NULL,
    call_uuid     TEXT    NOT NULL,
    -- Of the extension's part: its row in cdr_legs comes before or after this one.
    sub_call_id   TEXT    NOT NULL,
    -- When it began.
    time_us       BIGINT  NOT NULL,
    length_ms     BIGINT  NOT NULL,
    -- Size of the file.
    bytes         BIGINT  NOT NULL,
    -- Whose journal it was in: that node has the file.
    node          BIGINT  NOT NULL
);
CREATE INDEX recordings_of_part ON recordings (client_id, sub_call_id);
