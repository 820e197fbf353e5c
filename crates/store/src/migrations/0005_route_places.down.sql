-- What the older schema cannot hold goes: routes without an upstream, and all but the oldest of a place.
DELETE FROM routes WHERE upstream_id IS NULL;
DELETE FROM routes WHERE EXISTS (
    SELECT 1 FROM routes other
    WHERE other.environment = routes.environment AND other.host = routes.host AND other.base_path = routes.base_path
    AND other.id < routes.id
);
CREATE TABLE routes_next (
    id TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    api_id TEXT NOT NULL REFERENCES apis (id) ON DELETE CASCADE,
    version_id TEXT NOT NULL REFERENCES versions (id) ON DELETE CASCADE,
    upstream_id TEXT NOT NULL REFERENCES upstreams (id),
    environment TEXT NOT NULL,
    -- Empty for any host.
    host TEXT NOT NULL,
    base_path TEXT NOT NULL,
    body {json} NOT NULL,
    revision BIGINT NOT NULL,
    CONSTRAINT routes_place UNIQUE (environment, host, base_path)
);
INSERT INTO routes_next (id, organization_id, api_id, version_id, upstream_id, environment, host, base_path, body, revision)
SELECT id, organization_id, api_id, version_id, upstream_id, environment, host, base_path, body, revision FROM routes;
DROP TABLE routes;
ALTER TABLE routes_next RENAME TO routes;
CREATE INDEX routes_version ON routes (version_id);
