-- By what tracked events are recognised, whatever log they came to: a row for each commit of counts that had some. Of each
-- event a hash of its id and the second in which it came in, 8 and 4 bytes with the least first.
CREATE TABLE event_ids (
    number BIGINT PRIMARY KEY,
    counted_at BIGINT NOT NULL,
    ids {bytes} NOT NULL
);
-- Tracked events that had come to another log before: their places in a batch, 4 bytes each. Whoever keeps the batch after
-- it was counted leaves them out, and then the row goes.
CREATE TABLE event_duplicates (
    node_id TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    places {bytes} NOT NULL,
    PRIMARY KEY (node_id, sequence)
) {by_key};
