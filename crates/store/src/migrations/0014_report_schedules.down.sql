DROP TABLE report_schedules;
