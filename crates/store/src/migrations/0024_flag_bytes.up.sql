-- How much each is as JSON: all of an organization's are bounded, because every edge has all of them.
ALTER TABLE feature_flags ADD COLUMN bytes BIGINT NOT NULL DEFAULT 0;
UPDATE feature_flags SET bytes = LENGTH(CAST(body AS TEXT));
CREATE INDEX feature_flags_bytes ON feature_flags (organization_id, bytes);
ALTER TABLE segments ADD COLUMN bytes BIGINT NOT NULL DEFAULT 0;
UPDATE segments SET bytes = LENGTH(CAST(body AS TEXT));
CREATE INDEX segments_bytes ON segments (organization_id, bytes);
