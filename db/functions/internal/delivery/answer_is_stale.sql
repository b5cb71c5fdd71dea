-- Changes nothing. An unknown provider job is taken for one of the current attempt, because its callback may come
-- before our own bookkeeping. But a failure from an unknown provider job is stale if the current attempt is known
-- under another one: it would end work that is still going on.
-- Locks: none. Calls: none.
create or replace function upload_pipeline.answer_is_stale(
  job upload_pipeline.upload_jobs,
  attempt integer,
  parse_job_id text,
  failure boolean
)
returns boolean
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_attempt integer := answer_is_stale.attempt;
begin
  if v_attempt is null and answer_is_stale.parse_job_id is not null then
    select p.attempt into v_attempt
      from upload_pipeline.provider_jobs as p
     where p.parse_job_id = answer_is_stale.parse_job_id;

    if not found and answer_is_stale.failure then
      return exists (
        select
          from upload_pipeline.provider_jobs as p
         where p.job_id = job.job_id
           and p.attempt = job.attempt
      );
    end if;
  end if;

  return coalesce(v_attempt < job.attempt, false);
end;
$$;

comment on function upload_pipeline.answer_is_stale(upload_pipeline.upload_jobs, integer, text, boolean) is
  'True if an answer belongs to an attempt that is over. attempt decides if it is given, else the attempt of the '
  'provider job.';

revoke all on function upload_pipeline.answer_is_stale(
  upload_pipeline.upload_jobs, integer, text, boolean
) from public;
