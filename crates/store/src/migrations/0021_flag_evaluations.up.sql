-- Without references: what was counted meanwhile must not be refused because an organization is gone.
CREATE TABLE flag_evaluations (
    organization_id TEXT NOT NULL,
    key TEXT NOT NULL,
    environment TEXT NOT NULL,
    variant TEXT NOT NULL,
    -- When the day begins, in UTC.
    day BIGINT NOT NULL,
    count BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    PRIMARY KEY (organization_id, key, environment, day, variant)
) {by_key};
CREATE INDEX flag_evaluations_day ON flag_evaluations (day);
