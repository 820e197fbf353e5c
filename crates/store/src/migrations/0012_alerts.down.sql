DROP TABLE notices;
DROP TABLE alerts;
DROP TABLE alert_silences;
DROP TABLE alert_channels;
DROP TABLE alert_rules;
