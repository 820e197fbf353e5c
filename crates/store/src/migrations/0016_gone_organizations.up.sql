-- Organizations that were removed and may have left something in the lake. `erased_at` is when that was first removed;
-- nodes may still report calls afterwards.
CREATE TABLE gone_organizations (
    id TEXT PRIMARY KEY,
    erased_at BIGINT
);
