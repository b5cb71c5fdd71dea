-- Deletes old jobs, deliveries, reservations and sums of caps. A job takes its whole history with it, by foreign
-- keys. Objects in storage stay. A job is left out while its content waits for storage or for a decision.
-- Locks: document, job, content, delivery, reservation, cap (skip locked, apart from what goes with a job).
-- Calls: clock.
create or replace function upload_pipeline.purge(older_than interval, batch integer default 1000)
returns table (jobs bigint, deliveries bigint)
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_before timestamptz;
  v_due uuid[];
begin
  if older_than is null or older_than < interval '0' or batch is null or batch < 1 then
    raise exception 'cannot purge what is older than %, % at a time',
      coalesce(older_than::text, 'null'), coalesce(batch::text, 'null')
      using errcode = 'UP006',
            detail = 'older_than is an interval of 0 or more; batch is 1 or more.',
            hint = 'For example: select * from upload_pipeline.purge(older_than => interval ''90 days'');';
  end if;

  -- A longer interval could lead out of the range of timestamptz, and nothing is that old.
  v_before := upload_pipeline.clock() - least(older_than, interval '1000 years');

  with due as (
    select j.job_id
      from upload_pipeline.upload_jobs as j
      join upload_pipeline.documents as d on d.document_id = j.document_id
     where j.terminal
       and j.updated_at < v_before
       and not exists (
         select
           from upload_pipeline.contents as c
          where c.job_id = j.job_id
            and c.content is not null
       )
     order by j.updated_at
     limit batch
       for update of j, d skip locked
  )
  select array_agg(due.job_id) into v_due from due;

  update upload_pipeline.documents as d
     set purged_paths = d.purged_paths || purged.paths
    from (
      select j.document_id, array_agg(c.path) as paths
        from upload_pipeline.upload_jobs as j
        join upload_pipeline.contents as c on c.job_id = j.job_id
       where j.job_id = any (v_due)
         and c.path is not null
       group by j.document_id
    ) as purged
   where d.document_id = purged.document_id;

  -- Checked again, now that the jobs are locked: content may have come since the first statement began.
  with gone as (
    delete from upload_pipeline.upload_jobs as j
     where j.job_id = any (v_due)
       and not exists (
         select
           from upload_pipeline.contents as c
          where c.job_id = j.job_id
            and c.content is not null
       )
    returning j.job_id
  )
  select count(*) into jobs from gone;

  with due as (
    select d.source, d.delivery_id
      from upload_pipeline.webhook_deliveries as d
     where d.job_id is null
       and d.last_seen < v_before
     order by d.last_seen
     limit batch
       for update skip locked
  ), gone as (
    delete from upload_pipeline.webhook_deliveries as d
     using due
     where d.source = due.source
       and d.delivery_id = due.delivery_id
    returning d.delivery_id
  )
  select count(*) into deliveries from gone;

  -- Reservations of this month stay: set_credit_cap adds them up.
  with due as (
    select r.job_id, r.attempt, r.ordinal
      from upload_pipeline.credit_reservations as r
     where r.reserved_at < least(v_before, date_trunc('month', upload_pipeline.clock(), 'UTC'))
       and r.settled_at is not null
     order by r.reserved_at
     limit batch
       for update skip locked
  )
  delete from upload_pipeline.credit_reservations as r
   using due
   where r.job_id = due.job_id
     and r.attempt = due.attempt
     and r.ordinal = due.ordinal;

  -- Sums of windows that have ended. The next reservation of their owner makes the row again.
  delete from upload_pipeline.credit_caps as c
   where c.scope = 'each'
     and c.owner_id is not null
     and c.starts_at < date_trunc(c.period, upload_pipeline.clock(), 'UTC');

  return next;
end;
$$;

comment on function upload_pipeline.purge(interval, integer) is
  'Deletes finished jobs (failed and cancelled ones too) that have not moved for `older_than`, with their whole '
  'histories and deliveries. Also deletes deliveries that never found a job, and settled reservations of earlier '
  'months. Deletes at most `batch` of each: call it again until both counts are 0. Documents and stored objects '
  'stay; erase_document removes them. Raises UP006.';

revoke all on function upload_pipeline.purge(interval, integer) from public;
grant execute on function upload_pipeline.purge(interval, integer) to hookline_operator;
