DROP TABLE report_definitions;
