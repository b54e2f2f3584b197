DROP TABLE registry_link;
DROP TABLE registry_policy;
DROP TABLE registry_event;
DROP TABLE registry_publication;
DROP TABLE registry_evaluation;
DROP TABLE registry_version;
DROP TABLE registry_model;
