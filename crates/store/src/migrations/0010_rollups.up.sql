-- What the calls of a roll-up have in common; the id is a hash of the rest. Empty texts stand for "none", or for what
-- the grain leaves out.
CREATE TABLE series (
    id {bytes} PRIMARY KEY,
    grain TEXT NOT NULL,
    provider_id TEXT NOT NULL,
    api_id TEXT NOT NULL,
    version_id TEXT NOT NULL,
    operation_id TEXT NOT NULL,
    consumer_id TEXT NOT NULL,
    application_id TEXT NOT NULL,
    plan_id TEXT NOT NULL,
    target_id TEXT NOT NULL,
    variant_route_id TEXT NOT NULL,
    variant TEXT NOT NULL,
    status BIGINT NOT NULL,
    code TEXT NOT NULL
);
CREATE INDEX series_provider ON series (provider_id, grain);
CREATE INDEX series_consumer ON series (consumer_id, grain);
-- Written in the transaction that moves `usage_watermark`. `latency` is a sketch of microseconds.
CREATE TABLE rollup_minute (
    series_id {bytes} NOT NULL REFERENCES series (id),
    begun BIGINT NOT NULL,
    calls BIGINT NOT NULL,
    counted BIGINT NOT NULL,
    refused BIGINT NOT NULL,
    client_errors BIGINT NOT NULL,
    server_errors BIGINT NOT NULL,
    bytes_in BIGINT NOT NULL,
    bytes_out BIGINT NOT NULL,
    latency_us BIGINT NOT NULL,
    latency {bytes} NOT NULL,
    PRIMARY KEY (series_id, begun)
) {by_key};
CREATE INDEX rollup_minute_age ON rollup_minute (begun);
CREATE TABLE rollup_hour (
    series_id {bytes} NOT NULL REFERENCES series (id),
    begun BIGINT NOT NULL,
    calls BIGINT NOT NULL,
    counted BIGINT NOT NULL,
    refused BIGINT NOT NULL,
    client_errors BIGINT NOT NULL,
    server_errors BIGINT NOT NULL,
    bytes_in BIGINT NOT NULL,
    bytes_out BIGINT NOT NULL,
    latency_us BIGINT NOT NULL,
    latency {bytes} NOT NULL,
    PRIMARY KEY (series_id, begun)
) {by_key};
CREATE INDEX rollup_hour_age ON rollup_hour (begun);
CREATE TABLE rollup_day (
    series_id {bytes} NOT NULL REFERENCES series (id),
    begun BIGINT NOT NULL,
    calls BIGINT NOT NULL,
    counted BIGINT NOT NULL,
    refused BIGINT NOT NULL,
    client_errors BIGINT NOT NULL,
    server_errors BIGINT NOT NULL,
    bytes_in BIGINT NOT NULL,
    bytes_out BIGINT NOT NULL,
    latency_us BIGINT NOT NULL,
    latency {bytes} NOT NULL,
    PRIMARY KEY (series_id, begun)
) {by_key};
CREATE INDEX rollup_day_age ON rollup_day (begun);
