DROP TABLE event_duplicates;
DROP TABLE event_ids;
