-- When each application first called each API, and first got what it asked for. Written with the counts and kept as long
-- as the application is; sums by hour are forgotten, and do not tell minutes.
CREATE TABLE first_calls (
    api_id TEXT NOT NULL,
    application_id TEXT NOT NULL,
    called_at BIGINT NOT NULL,
    succeeded_at BIGINT,
    PRIMARY KEY (api_id, application_id)
);
CREATE INDEX first_calls_application ON first_calls (application_id);
INSERT INTO first_calls (api_id, application_id, called_at, succeeded_at)
SELECT s.api_id, s.application_id, MIN(r.begun), MIN(CASE WHEN s.code = '' AND s.status < 400 THEN r.begun END)
FROM series s JOIN rollup_hour r ON r.series_id = s.id
WHERE s.application_id <> '' GROUP BY s.api_id, s.application_id;
