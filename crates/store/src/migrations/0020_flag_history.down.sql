DROP TABLE flag_change_requests;
DROP TABLE flag_comments;
DROP TABLE flag_revisions;
