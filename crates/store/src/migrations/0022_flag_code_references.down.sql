DROP TABLE flag_code_references;
