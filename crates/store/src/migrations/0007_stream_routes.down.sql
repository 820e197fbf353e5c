DROP TABLE stream_hosts;
DROP TABLE stream_routes;
