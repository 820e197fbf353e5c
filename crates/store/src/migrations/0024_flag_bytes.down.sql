DROP INDEX segments_bytes;
ALTER TABLE segments DROP COLUMN bytes;
DROP INDEX feature_flags_bytes;
ALTER TABLE feature_flags DROP COLUMN bytes;
