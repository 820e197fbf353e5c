-- What flags and segments were. The audit chain has the same moments, but hides fields by their names, so that a
-- flag could not be made of it again.
CREATE TABLE flag_revisions (
    subject_id TEXT NOT NULL,
    revision BIGINT NOT NULL,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    actor TEXT NOT NULL,
    body {json} NOT NULL,
    PRIMARY KEY (subject_id, revision)
);
INSERT INTO flag_revisions (subject_id, revision, organization_id, actor, body)
SELECT id, revision, organization_id, '', body FROM feature_flags;
INSERT INTO flag_revisions (subject_id, revision, organization_id, actor, body)
SELECT id, revision, organization_id, '', body FROM segments;
CREATE TABLE flag_comments (
    id TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    flag_id TEXT NOT NULL REFERENCES feature_flags (id),
    body {json} NOT NULL,
    revision BIGINT NOT NULL
);
CREATE INDEX flag_comments_flag ON flag_comments (flag_id, id);
CREATE TABLE flag_change_requests (
    id TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    flag_id TEXT NOT NULL REFERENCES feature_flags (id),
    state TEXT NOT NULL,
    body {json} NOT NULL,
    revision BIGINT NOT NULL
);
CREATE INDEX flag_change_requests_flag ON flag_change_requests (flag_id, id);
CREATE INDEX flag_change_requests_organization ON flag_change_requests (organization_id, state, id);
