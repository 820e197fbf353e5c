-- Who acts. `body` is the entity; the other columns are copies for keys, joins and order.
CREATE TABLE organizations (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL CONSTRAINT organizations_name UNIQUE,
    body {json} NOT NULL,
    revision BIGINT NOT NULL
);
CREATE TABLE workspaces (
    id TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    name TEXT NOT NULL,
    body {json} NOT NULL,
    revision BIGINT NOT NULL,
    CONSTRAINT workspaces_name UNIQUE (organization_id, name)
);
CREATE TABLE environments (
    id TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    name TEXT NOT NULL,
    body {json} NOT NULL,
    revision BIGINT NOT NULL,
    CONSTRAINT environments_name UNIQUE (organization_id, name)
);
CREATE TABLE users (
    id TEXT PRIMARY KEY,
    email TEXT NOT NULL CONSTRAINT users_email UNIQUE,
    password_hash TEXT NOT NULL,
    disabled BOOLEAN NOT NULL,
    body {json} NOT NULL,
    revision BIGINT NOT NULL
);
CREATE TABLE memberships (
    id TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- Empty for the whole organization, so that the constraint holds there too.
    workspace_id TEXT NOT NULL,
    role TEXT NOT NULL,
    body {json} NOT NULL,
    revision BIGINT NOT NULL,
    CONSTRAINT memberships_member UNIQUE (organization_id, user_id, workspace_id)
);
CREATE INDEX memberships_user ON memberships (user_id);
CREATE TABLE clients (
    id TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    secret_hash TEXT NOT NULL,
    body {json} NOT NULL,
    revision BIGINT NOT NULL
);
CREATE INDEX clients_organization ON clients (organization_id);
-- A sign-in: its cookie or latest refresh token is stored as a hash.
CREATE TABLE sessions (
    id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    token_hash TEXT NOT NULL CONSTRAINT sessions_token UNIQUE,
    -- Counts the refresh tokens; one of an earlier generation was used twice.
    generation BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX sessions_user ON sessions (user_id);
CREATE INDEX sessions_expiry ON sessions (expires_at);
-- Failed sign-ins per account and per address; rows older than the window are removed.
CREATE TABLE sign_in_failures (
    subject TEXT PRIMARY KEY,
    failures BIGINT NOT NULL,
    last_at BIGINT NOT NULL
);
CREATE TABLE idempotency (
    organization_id TEXT NOT NULL,
    operation TEXT NOT NULL,
    key TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    -- Null while the first request is under way; sealed, because answers may hold what is shown once.
    answer {bytes},
    created_at BIGINT NOT NULL,
    PRIMARY KEY (organization_id, operation, key)
);
CREATE INDEX idempotency_age ON idempotency (created_at);
CREATE TABLE audit (
    organization_id TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    id TEXT NOT NULL CONSTRAINT audit_id UNIQUE,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    resource TEXT NOT NULL,
    at BIGINT NOT NULL,
    hash TEXT NOT NULL,
    body {json} NOT NULL,
    PRIMARY KEY (organization_id, sequence)
);
-- The end of each chain, with a MAC: who can write to the database cannot cut entries off unseen.
CREATE TABLE audit_heads (
    organization_id TEXT PRIMARY KEY,
    sequence BIGINT NOT NULL,
    hash TEXT NOT NULL,
    mac TEXT NOT NULL
);
CREATE INDEX audit_resource ON audit (organization_id, resource);
CREATE TABLE works (
    id TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    status TEXT NOT NULL,
    body {json} NOT NULL,
    revision BIGINT NOT NULL
);
