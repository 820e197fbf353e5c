ALTER TABLE nodes DROP COLUMN health;
DROP TABLE node_answers;
DROP TABLE node_questions;
