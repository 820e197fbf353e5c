CREATE TABLE feature_flags (
    id TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    -- The key.
    name TEXT NOT NULL,
    body {json} NOT NULL,
    revision BIGINT NOT NULL,
    CONSTRAINT feature_flags_name UNIQUE (organization_id, name)
);
