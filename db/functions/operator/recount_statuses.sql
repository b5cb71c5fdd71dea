-- Counts all jobs, and corrects the numbers of status_counts by one row for each status. A step and its row of
-- activity_counts are committed together, and one statement sees both. So this is exact while jobs move.
-- Locks: activity (advisory). Calls: check_isolation, clock, differing_counts, record_action.
create or replace function upload_pipeline.recount_statuses(reason text default null)
returns table (status text, counted bigint, jobs bigint)
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '2s'
as $$
#variable_conflict use_column
declare
  v_corrected bigint;
begin
  perform upload_pipeline.check_isolation();
  perform pg_advisory_xact_lock('upload_pipeline.activity_counts'::regclass::integer, 0);

  return query
  with wrong as materialized (
    select d.status, d.counted, d.jobs from upload_pipeline.differing_counts() as d
  ), corrected as (
    insert into upload_pipeline.activity_counts (span, at, to_status, count)
    select 'new', date_trunc('minute', upload_pipeline.clock(), 'UTC'), w.status, w.jobs - w.counted
      from wrong as w
  )
  select w.status, w.counted, w.jobs from wrong as w;
  get diagnostics v_corrected = row_count;

  if v_corrected > 0 then
    perform upload_pipeline.record_action(
      'recount_statuses', recount_statuses.reason, details => jsonb_build_object('statuses', v_corrected)
    );
  end if;
end;
$$;

comment on function upload_pipeline.recount_statuses(text) is
  'Counts all jobs and corrects status_counts where it differs: after a load with triggers off. One row for each '
  'status that was wrong: what was counted, and how many jobs there are. Reads all jobs. Raises UP012; '
  '55P03 after waiting 2 s for a lock.';

revoke all on function upload_pipeline.recount_statuses(text) from public;
grant execute on function upload_pipeline.recount_statuses(text) to hookline_operator;
