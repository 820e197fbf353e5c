CREATE TABLE event_types (
    id TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    name TEXT NOT NULL,
    state TEXT NOT NULL,
    body {json} NOT NULL,
    revision BIGINT NOT NULL,
    CONSTRAINT event_types_name UNIQUE (organization_id, name)
);
CREATE TABLE sdk_keys (
    id TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    environment TEXT NOT NULL,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    hash TEXT NOT NULL CONSTRAINT sdk_keys_hash UNIQUE,
    -- For leaving long revoked and expired keys out of what edges know.
    ended_at BIGINT,
    body {json} NOT NULL,
    revision BIGINT NOT NULL
);
CREATE INDEX sdk_keys_organization ON sdk_keys (organization_id);
-- Written in the transaction that moves `usage_watermark`; without references, as usage is written whatever becomes of
-- types and keys.
CREATE TABLE event_hours (
    event_type_id TEXT NOT NULL,
    environment TEXT NOT NULL,
    hour BIGINT NOT NULL,
    organization_id TEXT NOT NULL,
    events BIGINT NOT NULL,
    bytes BIGINT NOT NULL,
    PRIMARY KEY (event_type_id, hour, environment)
);
CREATE INDEX event_hours_organization ON event_hours (organization_id, hour);
