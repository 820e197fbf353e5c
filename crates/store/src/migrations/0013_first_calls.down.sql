DROP TABLE first_calls;
