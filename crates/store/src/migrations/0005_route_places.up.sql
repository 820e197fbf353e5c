-- Several routes may stand on one host and base path if their conditions differ, and a route need not have an upstream.
-- SQLite cannot drop a constraint, so the table is made anew.
CREATE TABLE routes_next (
    id TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    api_id TEXT NOT NULL REFERENCES apis (id) ON DELETE CASCADE,
    version_id TEXT NOT NULL REFERENCES versions (id) ON DELETE CASCADE,
    upstream_id TEXT REFERENCES upstreams (id),
    environment TEXT NOT NULL,
    -- Empty for any host.
    host TEXT NOT NULL,
    base_path TEXT NOT NULL,
    body {json} NOT NULL,
    revision BIGINT NOT NULL
);
INSERT INTO routes_next (id, organization_id, api_id, version_id, upstream_id, environment, host, base_path, body, revision)
SELECT id, organization_id, api_id, version_id, upstream_id, environment, host, base_path, body, revision FROM routes;
DROP TABLE routes;
ALTER TABLE routes_next RENAME TO routes;
CREATE INDEX routes_version ON routes (version_id);
CREATE INDEX routes_at ON routes (environment, host, base_path);
