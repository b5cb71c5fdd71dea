create or replace view upload_pipeline.job_costs as
select r.job_id,
       r.attempt,
       r.ordinal,
       r.provider,
       r.reserved,
       r.billed,
       r.reserved_at,
       r.settled_at
  from upload_pipeline.credit_reservations as r;

comment on view upload_pipeline.job_costs is
  'One row for each time that an attempt of a job was submitted, or may have been: to which provider, what was '
  'reserved, and what was billed (null: not known yet), in credits of that provider.';

revoke all on upload_pipeline.job_costs from public;
grant select on upload_pipeline.job_costs to hookline_reader;
