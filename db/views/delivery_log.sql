create or replace view upload_pipeline.delivery_log as
select d.source,
       d.delivery_id,
       d.outcome,
       d.event_type,
       d.code,
       d.job_id,
       d.parse_job_id,
       d.content_ordinal,
       d.times_seen,
       d.first_seen,
       d.last_seen,
       d.body_sha256,
       d.payload,
       d.correlation_id
  from upload_pipeline.webhook_deliveries as d;

comment on view upload_pipeline.delivery_log is 'One row for each delivery: what came, how often, and what it did.';

revoke all on upload_pipeline.delivery_log from public;
grant select on upload_pipeline.delivery_log to hookline_reader;
