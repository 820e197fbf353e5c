DROP TABLE flag_evaluations;
