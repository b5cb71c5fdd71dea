-- Changes nothing.
-- Locks: none. Calls: none.
create or replace function upload_pipeline.count_purgeable(before timestamptz)
returns table (jobs bigint, documents bigint, deliveries bigint)
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  with due as materialized (
    select j.job_id, j.document_id
      from upload_pipeline.upload_jobs as j
     where (j.terminal or not j.upload_confirmed)
       and j.updated_at < count_purgeable.before
       and not exists (
         select
           from upload_pipeline.contents as c
          where c.job_id = j.job_id
            and c.content is not null
       )
       and not exists (
         select
           from upload_pipeline.notifications as n
          where n.job_id = j.job_id
            and n.run_after is not null
       )
  )
  select (select count(*) from due),
         (select count(*)
            from upload_pipeline.documents as d
           where d.document_id in (select due.document_id from due)
             and not d.upload_confirmed
             and d.purged_paths = '{}'
             and not exists (
               select
                 from upload_pipeline.upload_jobs as j
                 left join upload_pipeline.contents as c on c.job_id = j.job_id
                where j.document_id = d.document_id
                  and (c.path is not null or j.job_id not in (select due.job_id from due))
             )),
         (select count(*)
            from upload_pipeline.webhook_deliveries as w
           where w.job_id is null
             and w.first_seen < count_purgeable.before
             and w.last_seen < count_purgeable.before);
$$;

comment on function upload_pipeline.count_purgeable(timestamptz) is
  'What purge would delete if it were called until nothing is left: the jobs, the documents that go with them, and the '
  'deliveries without a job.';

revoke all on function upload_pipeline.count_purgeable(timestamptz) from public;
