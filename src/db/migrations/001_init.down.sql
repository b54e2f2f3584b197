DROP TABLE project_member;
DROP TABLE project;
DROP TABLE login_link;
DROP TABLE api_token;
DROP TABLE session;
DROP TABLE "user";
