CREATE TABLE segments (
    id TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    -- The key.
    name TEXT NOT NULL,
    body {json} NOT NULL,
    revision BIGINT NOT NULL,
    CONSTRAINT segments_name UNIQUE (organization_id, name)
);
