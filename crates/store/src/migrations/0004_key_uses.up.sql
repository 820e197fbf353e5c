-- The hour in which each key was last used. Not a column of `keys`, and without a reference to them: usage is
-- written many times a second, whatever becomes of the key.
CREATE TABLE key_uses (
    key_id TEXT PRIMARY KEY,
    hour BIGINT NOT NULL
);
