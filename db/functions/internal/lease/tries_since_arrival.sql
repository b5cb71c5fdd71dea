-- Changes nothing. The history is the counter, so no column can differ from it. Every change of status starts the
-- count again, and so do an operator's retry and a fallback.
-- Locks: none. Calls: none.
create or replace function upload_pipeline.tries_since_arrival(job upload_pipeline.upload_jobs, codes text[])
returns integer
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select count(*)::integer
    from upload_pipeline.events as e
   where e.job_id = job.job_id
     and e.code = any (codes)
     and e.version > (
       select max(a.version)
         from upload_pipeline.events as a
        where a.job_id = job.job_id
          and (a.from_status is distinct from a.to_status or a.code in ('job_retried', 'fell_back'))
     );
$$;

comment on function upload_pipeline.tries_since_arrival(upload_pipeline.upload_jobs, text[]) is
  'How many events with these codes a job has had since it came to its status or was last retried by an operator.';

revoke all on function upload_pipeline.tries_since_arrival(upload_pipeline.upload_jobs, text[]) from public;
