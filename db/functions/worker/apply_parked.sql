-- Applies parked deliveries whose provider job is known. Normally record_submission does that; this finds what it
-- missed. A call checks a bounded number of deliveries, and the older a delivery is, the later it is checked again: a
-- day later at most, so a later check_after was set by a clock that was ahead, and is due.
-- It applies those of one provider job, because that lock comes before all others. Deliveries about a provider job
-- whose document was erased are deleted.
-- Locks: provider job (advisory), document, job, deletion, artifact, provider request, delivery (or only deliveries,
-- skip locked).
-- Calls: apply_parked_reports, check_isolation, clock, lock_job, lock_provider_job, provider_of.
create or replace function upload_pipeline.apply_parked()
returns text
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
  v_now timestamptz := upload_pipeline.clock();
  v_known record;
begin
  perform upload_pipeline.check_isolation();

  with due as materialized (
    select d.parse_job_id, upload_pipeline.provider_of(d.source) as provider
      from upload_pipeline.webhook_deliveries as d
     where d.outcome = 'parked'
       and d.check_after <= v_now
     order by d.check_after
     limit 100
  )
  select p.provider, p.parse_job_id, p.job_id into v_known
    from due
    -- With offset 0 the primary key is looked up for each row, whatever number of rows the planner expects.
    cross join lateral (
      select k.provider, k.parse_job_id, k.job_id
        from upload_pipeline.provider_jobs as k
       where k.parse_job_id = due.parse_job_id
         and k.provider = due.provider
      offset 0
    ) as p
   limit 1;

  if not found then
    with past as materialized (
      select d.source, d.delivery_id, d.parse_job_id
        from upload_pipeline.webhook_deliveries as d
       where d.outcome = 'parked'
         and d.check_after <= v_now
       order by d.check_after
       limit 100
         for update skip locked
    ), early as materialized (
      select d.source, d.delivery_id, d.parse_job_id
        from upload_pipeline.webhook_deliveries as d
       where d.outcome = 'parked'
         and d.check_after > v_now + interval '1 day 1 minute'
       order by d.check_after
       limit 100
         for update skip locked
    ), due as materialized (
      select o.source, o.delivery_id,
             exists (
               select
                 from upload_pipeline.provider_requests as r
                where r.parse_job_id = o.parse_job_id
                  and r.provider = upload_pipeline.provider_of(o.source)
                  and r.kind = 'delete'
               offset 0
             ) as erased
        from (
          select past.source, past.delivery_id, past.parse_job_id from past
          union all
          select early.source, early.delivery_id, early.parse_job_id from early
        ) as o
    ), gone as (
      delete from upload_pipeline.webhook_deliveries as d
       using due
       where d.source = due.source
         and d.delivery_id = due.delivery_id
         and due.erased
    )
    update upload_pipeline.webhook_deliveries as d
       set check_after = v_now + least(greatest(interval '30 seconds', v_now - d.first_seen), interval '1 day')
      from due
     where d.source = due.source
       and d.delivery_id = due.delivery_id
       and not due.erased;

    return null;
  end if;

  perform upload_pipeline.lock_provider_job(v_known.parse_job_id);
  -- The document may have been erased by now. Once it is locked, it cannot be.
  perform
    from upload_pipeline.upload_jobs as j
    join upload_pipeline.documents as d on d.document_id = j.document_id
   where j.job_id = v_known.job_id
     for key share of d;
  if found then
    perform upload_pipeline.lock_job(v_known.job_id);
    perform upload_pipeline.apply_parked_reports(v_known.provider, v_known.parse_job_id, v_known.job_id);
  end if;

  return v_known.parse_job_id;
end;
$$;

comment on function upload_pipeline.apply_parked() is
  'Finds a provider job that is known although deliveries for it are still parked, applies them, and answers its '
  'id. Answers null if it found none: call again until then. Raises 55P03 after waiting 2 s for a lock.';

revoke all on function upload_pipeline.apply_parked() from public;
grant execute on function upload_pipeline.apply_parked() to hookline_worker;
