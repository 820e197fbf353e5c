CREATE TABLE alert_rules (
    id TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    name TEXT NOT NULL,
    paused BOOLEAN NOT NULL,
    -- Beside the body, as they are no change of the rule.
    evaluated_at BIGINT,
    evaluation_error TEXT,
    body {json} NOT NULL,
    revision BIGINT NOT NULL,
    CONSTRAINT alert_rules_name UNIQUE (organization_id, name)
);
CREATE TABLE alert_channels (
    id TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    name TEXT NOT NULL,
    -- Counts the secrets that signatures were made with.
    secret BIGINT NOT NULL DEFAULT 0,
    body {json} NOT NULL,
    revision BIGINT NOT NULL,
    CONSTRAINT alert_channels_name UNIQUE (organization_id, name)
);
CREATE TABLE alert_silences (
    id TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    ends_at BIGINT NOT NULL,
    body {json} NOT NULL,
    revision BIGINT NOT NULL
);
CREATE INDEX alert_silences_organization ON alert_silences (organization_id, ends_at);
-- Without a reference to the rule: what was found stays when it is removed.
CREATE TABLE alerts (
    id TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    rule_id TEXT NOT NULL,
    labels TEXT NOT NULL,
    state TEXT NOT NULL,
    severity TEXT NOT NULL,
    resolved_at BIGINT,
    body {json} NOT NULL,
    revision BIGINT NOT NULL
);
CREATE INDEX alerts_organization ON alerts (organization_id);
CREATE INDEX alerts_resolved ON alerts (resolved_at);
CREATE UNIQUE INDEX alerts_open ON alerts (rule_id, labels) WHERE resolved_at IS NULL;
CREATE TABLE notices (
    id TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    -- The alert, or whatever else it is about.
    about_id TEXT NOT NULL,
    channel_id TEXT NOT NULL,
    channel TEXT NOT NULL,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    next_at BIGINT NOT NULL,
    error TEXT,
    -- What is sent, as it was when it was found.
    body {json} NOT NULL,
    created_at BIGINT NOT NULL,
    ended_at BIGINT
);
CREATE INDEX notices_about ON notices (about_id);
CREATE INDEX notices_due ON notices (next_at) WHERE ended_at IS NULL;
