-- What is published, who calls it, and what was used.
CREATE TABLE apis (
    id TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    name TEXT NOT NULL,
    body {json} NOT NULL,
    revision BIGINT NOT NULL,
    CONSTRAINT apis_name UNIQUE (organization_id, name)
);
CREATE TABLE versions (
    id TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    api_id TEXT NOT NULL REFERENCES apis (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    body {json} NOT NULL,
    revision BIGINT NOT NULL,
    CONSTRAINT versions_name UNIQUE (api_id, name)
);
CREATE TABLE contracts (
    id TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    version_id TEXT NOT NULL REFERENCES versions (id) ON DELETE CASCADE,
    body {json} NOT NULL,
    -- The document as it came.
    document {bytes} NOT NULL,
    revision BIGINT NOT NULL
);
CREATE INDEX contracts_version ON contracts (version_id);
CREATE TABLE operations (
    id TEXT PRIMARY KEY,
    version_id TEXT NOT NULL REFERENCES versions (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    method TEXT NOT NULL,
    path TEXT NOT NULL,
    -- False once a newer contract of the version has it no more: usage still refers to it.
    current BOOLEAN NOT NULL,
    body {json} NOT NULL,
    CONSTRAINT operations_place UNIQUE (version_id, method, path)
);
CREATE TABLE upstreams (
    id TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    name TEXT NOT NULL,
    body {json} NOT NULL,
    revision BIGINT NOT NULL,
    CONSTRAINT upstreams_name UNIQUE (organization_id, name)
);
CREATE TABLE routes (
    id TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    api_id TEXT NOT NULL REFERENCES apis (id) ON DELETE CASCADE,
    version_id TEXT NOT NULL REFERENCES versions (id) ON DELETE CASCADE,
    upstream_id TEXT NOT NULL REFERENCES upstreams (id),
    environment TEXT NOT NULL,
    -- Empty for any host, so that the constraint holds there too.
    host TEXT NOT NULL,
    base_path TEXT NOT NULL,
    body {json} NOT NULL,
    revision BIGINT NOT NULL,
    CONSTRAINT routes_place UNIQUE (environment, host, base_path)
);
CREATE INDEX routes_version ON routes (version_id);
CREATE TABLE policies (
    id TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    api_id TEXT NOT NULL REFERENCES apis (id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    body {json} NOT NULL,
    revision BIGINT NOT NULL
);
CREATE INDEX policies_api ON policies (api_id);
CREATE TABLE plans (
    id TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    name TEXT NOT NULL,
    body {json} NOT NULL,
    revision BIGINT NOT NULL,
    CONSTRAINT plans_name UNIQUE (organization_id, name)
);
CREATE TABLE products (
    id TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    name TEXT NOT NULL,
    visibility TEXT NOT NULL,
    body {json} NOT NULL,
    revision BIGINT NOT NULL,
    CONSTRAINT products_name UNIQUE (organization_id, name)
);
CREATE TABLE product_versions (
    product_id TEXT NOT NULL REFERENCES products (id) ON DELETE CASCADE,
    version_id TEXT NOT NULL REFERENCES versions (id),
    PRIMARY KEY (product_id, version_id)
);
CREATE INDEX product_versions_version ON product_versions (version_id);
CREATE TABLE product_plans (
    product_id TEXT NOT NULL REFERENCES products (id) ON DELETE CASCADE,
    plan_id TEXT NOT NULL REFERENCES plans (id),
    PRIMARY KEY (product_id, plan_id)
);
CREATE TABLE applications (
    id TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    name TEXT NOT NULL,
    body {json} NOT NULL,
    revision BIGINT NOT NULL,
    CONSTRAINT applications_name UNIQUE (organization_id, name)
);
CREATE TABLE subscriptions (
    id TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    provider_id TEXT NOT NULL REFERENCES organizations (id),
    application_id TEXT NOT NULL REFERENCES applications (id),
    product_id TEXT NOT NULL REFERENCES products (id),
    plan_id TEXT NOT NULL REFERENCES plans (id),
    state TEXT NOT NULL,
    body {json} NOT NULL,
    revision BIGINT NOT NULL
);
-- One that is cancelled stays as it is and makes room for another.
CREATE UNIQUE INDEX subscriptions_product ON subscriptions (application_id, product_id) WHERE state <> 'cancelled';
CREATE INDEX subscriptions_application ON subscriptions (application_id);
CREATE INDEX subscriptions_provider ON subscriptions (provider_id);
CREATE TABLE keys (
    id TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    application_id TEXT NOT NULL REFERENCES applications (id),
    environment TEXT NOT NULL,
    state TEXT NOT NULL,
    hash TEXT NOT NULL CONSTRAINT keys_hash UNIQUE,
    -- For leaving long revoked and expired keys out of snapshots.
    ended_at BIGINT,
    body {json} NOT NULL,
    revision BIGINT NOT NULL
);
CREATE INDEX keys_application ON keys (application_id);
CREATE INDEX keys_environment ON keys (environment);
-- Rises in the transaction of every change that a gateway has to hear of.
CREATE TABLE snapshot_revision (
    one BIGINT PRIMARY KEY CHECK (one = 1),
    revision BIGINT NOT NULL
);
INSERT INTO snapshot_revision (one, revision) VALUES (1, 1);
CREATE TABLE nodes (
    id TEXT PRIMARY KEY,
    environment TEXT NOT NULL,
    revision BIGINT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT NOT NULL,
    seen_at BIGINT NOT NULL
);
-- The last batch of each node's log that is counted in `usage_hour`, updated in the same transaction.
CREATE TABLE usage_watermark (
    node_id TEXT PRIMARY KEY,
    sequence BIGINT NOT NULL
);
-- Empty texts stand for "none" in key columns, so that the primary key holds.
CREATE TABLE usage_hour (
    provider_id TEXT NOT NULL,
    consumer_id TEXT NOT NULL,
    hour BIGINT NOT NULL,
    api_id TEXT NOT NULL,
    version_id TEXT NOT NULL,
    operation_id TEXT NOT NULL,
    application_id TEXT NOT NULL,
    subscription_id TEXT NOT NULL,
    plan_id TEXT NOT NULL,
    calls BIGINT NOT NULL,
    counted BIGINT NOT NULL,
    refused BIGINT NOT NULL,
    client_errors BIGINT NOT NULL,
    server_errors BIGINT NOT NULL,
    bytes_in BIGINT NOT NULL,
    bytes_out BIGINT NOT NULL,
    latency_us BIGINT NOT NULL,
    PRIMARY KEY (
        provider_id, hour, api_id, version_id, operation_id, consumer_id, application_id, subscription_id, plan_id
    )
);
CREATE INDEX usage_hour_consumer ON usage_hour (consumer_id, hour);
