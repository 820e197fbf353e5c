CREATE TABLE flag_code_references (
    flag_id TEXT NOT NULL REFERENCES feature_flags (id),
    repository TEXT NOT NULL,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    body {json} NOT NULL,
    PRIMARY KEY (flag_id, repository)
);
CREATE INDEX flag_code_references_repository ON flag_code_references (organization_id, repository);
