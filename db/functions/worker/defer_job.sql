-- Ends the lease and moves run_after. No try is counted, because nobody failed.
-- Locks: job, deletion, artifact, provider request.
-- Calls: backoff, check_error_argument, clock, lock_leased_job, receipt_of, reschedule_in_place, tries_since_arrival.
create or replace function upload_pipeline.defer_job(
  job_id uuid,
  lease_token uuid,
  error jsonb,
  until timestamptz default null
)
returns upload_pipeline.receipt
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
-- A plan made while the tables were small has to suit large ones. Before Postgres 18, a plan that reads a table whole
-- all the same looks so expensive that Postgres would compile it.
set enable_seqscan = off
set jit = off
set lock_timeout = '2s'
as $$
declare
  v_job upload_pipeline.upload_jobs := upload_pipeline.lock_leased_job(job_id, lease_token);
  v_error jsonb := upload_pipeline.check_error_argument(error);
  v_event upload_pipeline.events;
begin
  if until > upload_pipeline.clock() + interval '31 days' then
    raise exception 'job % cannot be deferred until %', v_job.job_id, until
      using errcode = 'UP006',
            detail = 'until is at most 31 days ahead.',
            hint = 'Pass how long the reason may last, or leave until out for a pause that doubles.';
  end if;

  v_event := upload_pipeline.reschedule_in_place(
    v_job, 'stage_deferred', v_error,
    coalesce(
      case when until is not null then greatest(until, upload_pipeline.clock()) end,
      upload_pipeline.clock() + (
        select upload_pipeline.backoff(
                 upload_pipeline.tries_since_arrival(v_job, array['stage_deferred']), s.retry_base, s.retry_cap
               )
          from upload_pipeline.statuses as s
         where s.status = v_job.status
      )
    )
  );

  return upload_pipeline.receipt_of('applied', v_job, v_event);
end;
$$;

comment on function upload_pipeline.defer_job(uuid, uuid, jsonb, timestamptz) is
  'Puts a leased job off without counting a try, because nobody failed: a rate limit, a spent budget, a result '
  'that cannot be read yet. The job comes again at `until`, or else after a pause that doubles each time. error is '
  'as for fail_job. Outcome: applied. Raises UP001, UP002 (the status lacks a transition), UP003, UP006; 55P03 '
  'after waiting 2 s for a lock.';

revoke all on function upload_pipeline.defer_job(uuid, uuid, jsonb, timestamptz) from public;
grant execute on function upload_pipeline.defer_job(uuid, uuid, jsonb, timestamptz) to hookline_worker;
