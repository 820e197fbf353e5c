DROP TABLE event_hours;
DROP TABLE sdk_keys;
DROP TABLE event_types;
