-- Records and events are found by their call, whose UUID begins with its time: so what is written at
-- one time lies together, whichever clients and extensions it is of. An extension's records are found
-- among its client's of a time.

ALTER TABLE cdr_legs ADD UNIQUE (call_uuid, client_id, sub_call_id);
ALTER TABLE cdr_legs DROP CONSTRAINT cdr_legs_client_id_sub_call_id_key;
DROP INDEX cdr_legs_of_call, cdr_legs_of_extension, cdr_legs_in_time;
CREATE INDEX cdr_legs_in_time ON cdr_legs (client_id, init_us, extension_id);

ALTER TABLE events ADD UNIQUE (call_uuid, sequence, client_id);
ALTER TABLE events DROP CONSTRAINT events_client_id_call_uuid_sequence_key;
