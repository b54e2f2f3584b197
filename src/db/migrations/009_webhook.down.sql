DROP TRIGGER job_webhook;
DROP TABLE webhook_delivery;
DROP TABLE webhook;
