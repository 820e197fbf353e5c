-- What a node counted of the mirrors of routes, and when it told that; null before it has.
ALTER TABLE nodes ADD COLUMN mirrors {json};
ALTER TABLE nodes ADD COLUMN mirrors_at BIGINT;
