DROP TABLE acme_orders;
DROP TABLE acme_accounts;
DROP TABLE certificate_keys;
DROP TABLE certificate_hosts;
DROP TABLE certificates;
