-- The caller's number as a trusted trunk has asserted it, also of one who hides: for those who run
-- the switch. Programs are not shown it.
ALTER TABLE cdr_legs ADD COLUMN asserted TEXT;
