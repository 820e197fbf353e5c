ALTER TABLE nodes DROP COLUMN mirrors_at;
ALTER TABLE nodes DROP COLUMN mirrors;
