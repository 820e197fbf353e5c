-- Links that people hand over. Of a token only the SHA-256 is kept.
CREATE TABLE invitations (
    id TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    email TEXT NOT NULL,
    -- Empty for the whole organization.
    workspace_id TEXT NOT NULL,
    accepted BOOLEAN NOT NULL,
    expires_at BIGINT NOT NULL,
    token_hash TEXT NOT NULL CONSTRAINT invitations_token UNIQUE,
    body {json} NOT NULL,
    revision BIGINT NOT NULL
);
CREATE INDEX invitations_organization ON invitations (organization_id);
CREATE INDEX invitations_expiry ON invitations (expires_at);
-- One for each user: a new link replaces the one before.
CREATE TABLE password_resets (
    user_id TEXT PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    token_hash TEXT NOT NULL CONSTRAINT password_resets_token UNIQUE,
    created_by TEXT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX password_resets_expiry ON password_resets (expires_at);
