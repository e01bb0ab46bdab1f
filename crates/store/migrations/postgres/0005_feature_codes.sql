-- Codes that clients have set, as a JSON object of names and codes; null: switched off. Those that
-- are not named have their defaults.
ALTER TABLE client_settings ADD COLUMN feature_codes TEXT NOT NULL DEFAULT '{}';
