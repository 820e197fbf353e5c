-- What gateways show to clients, and how it is ordered from ACME servers.
CREATE TABLE certificates (
    id TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    environment TEXT NOT NULL,
    name TEXT NOT NULL,
    body {json} NOT NULL,
    revision BIGINT NOT NULL,
    CONSTRAINT certificates_name UNIQUE (organization_id, name)
);
-- A host has one certificate per environment, whoever it belongs to.
CREATE TABLE certificate_hosts (
    environment TEXT NOT NULL,
    host TEXT NOT NULL,
    certificate_id TEXT NOT NULL REFERENCES certificates (id) ON DELETE CASCADE,
    PRIMARY KEY (environment, host)
);
CREATE INDEX certificate_hosts_certificate ON certificate_hosts (certificate_id);
-- Chain and private key, sealed; beside the row, so that nothing that shows the row can show them.
CREATE TABLE certificate_keys (
    certificate_id TEXT PRIMARY KEY REFERENCES certificates (id) ON DELETE CASCADE,
    sealed {bytes} NOT NULL
);
CREATE TABLE acme_accounts (
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    -- A digest of directory and contacts.
    account TEXT NOT NULL,
    sealed {bytes} NOT NULL,
    PRIMARY KEY (organization_id, account)
);
CREATE TABLE acme_orders (
    certificate_id TEXT PRIMARY KEY REFERENCES certificates (id) ON DELETE CASCADE,
    environment TEXT NOT NULL,
    -- When it is to be worked on; moved ahead by whoever takes it, so that two processes do not.
    next_at BIGINT NOT NULL,
    -- What the server looks for at the moment.
    challenges {json} NOT NULL
);
CREATE INDEX acme_orders_next ON acme_orders (next_at);
