-- What the control plane asks its nodes, as about a recent call; rows live for seconds.
CREATE TABLE node_questions (
    id TEXT PRIMARY KEY,
    request_id TEXT NOT NULL,
    asked_at BIGINT NOT NULL
);
CREATE INDEX node_questions_age ON node_questions (asked_at);
CREATE TABLE node_answers (
    question_id TEXT NOT NULL REFERENCES node_questions (id) ON DELETE CASCADE,
    node_id TEXT NOT NULL,
    body {json} NOT NULL,
    PRIMARY KEY (question_id, node_id)
);
-- How a node sees the targets of upstreams; null before it has said anything of them.
ALTER TABLE nodes ADD COLUMN health {json};
