DROP TABLE gone_organizations;
