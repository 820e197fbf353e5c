-- How connections that are not read find services.
CREATE TABLE stream_routes (
    id TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    environment TEXT NOT NULL,
    name TEXT NOT NULL,
    upstream_id TEXT NOT NULL REFERENCES upstreams (id),
    body {json} NOT NULL,
    revision BIGINT NOT NULL,
    CONSTRAINT stream_routes_name UNIQUE (organization_id, name)
);
CREATE INDEX stream_routes_environment ON stream_routes (environment);
CREATE INDEX stream_routes_upstream ON stream_routes (upstream_id);
-- What is taken has one stream route per environment and port, whoever it belongs to.
CREATE TABLE stream_hosts (
    environment TEXT NOT NULL,
    -- 0 for any.
    port BIGINT NOT NULL,
    -- Empty for whatever nobody else takes.
    host TEXT NOT NULL,
    stream_route_id TEXT NOT NULL REFERENCES stream_routes (id) ON DELETE CASCADE,
    PRIMARY KEY (environment, port, host)
);
CREATE INDEX stream_hosts_stream_route ON stream_hosts (stream_route_id);
CREATE INDEX stream_hosts_host ON stream_hosts (environment, host);
