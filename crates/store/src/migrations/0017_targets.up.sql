-- What ids of targets stand for, also of those that their upstream does not have any more.
CREATE TABLE targets (
    id TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    upstream_id TEXT NOT NULL,
    url TEXT NOT NULL
);
CREATE INDEX targets_url ON targets (url);
