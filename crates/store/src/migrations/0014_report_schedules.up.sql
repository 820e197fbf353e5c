CREATE TABLE report_schedules (
    id TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    name TEXT NOT NULL,
    paused BOOLEAN NOT NULL,
    -- Null until it was looked when it is due, and again after every change.
    next_at BIGINT,
    -- Beside the body, as they are no change of the schedule.
    retry_at BIGINT,
    last_at BIGINT,
    error TEXT,
    body {json} NOT NULL,
    revision BIGINT NOT NULL,
    CONSTRAINT report_schedules_name UNIQUE (organization_id, name)
);
CREATE INDEX report_schedules_due ON report_schedules (next_at) WHERE NOT paused;
