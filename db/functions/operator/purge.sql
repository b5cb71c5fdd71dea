-- Deletes old jobs, documents without an upload, deliveries, reservations, sums of caps, reasons of pauses and actions
-- of operators. A job takes its whole history with it, by foreign keys. Objects in storage stay. The provider jobs are
-- deleted at their providers, because nobody could name them later. A job is left out while its content waits for
-- storage or for a decision, or a notification of it waits to be sent.
-- Locks: document, job, deletion, artifact, provider request, content, delivery, reservation, cap, status, provider
-- pause, group (skip locked, apart from what goes with a job).
-- Calls: check_isolation, clock, count_purgeable, erase_documents, queue_requests_of_jobs, record_action.
create or replace function upload_pipeline.purge(
  older_than interval,
  batch integer default 1000,
  least_age interval default '1 day',
  dry_run boolean default false,
  reason text default null
)
returns table (jobs bigint, documents bigint, deliveries bigint)
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
-- A plan made while the tables were small has to suit large ones. Before Postgres 18, a plan that reads a table whole
-- all the same looks so expensive that Postgres would compile it.
set enable_seqscan = off
set jit = off
as $$
declare
  v_group_ids uuid[];
  v_before timestamptz;
  v_due uuid[];
  v_document_ids uuid[];
  v_others bigint[] := array[]::bigint[];
  v_count bigint;
begin
  perform upload_pipeline.check_isolation();

  if older_than is null or least_age is null or older_than < greatest(least_age, interval '0')
    or batch is null or batch < 1
  then
    raise exception 'cannot purge what is older than %, % at a time',
      coalesce(older_than::text, 'null'), coalesce(batch::text, 'null')
      using errcode = 'UP006',
            detail = format(
              'older_than is at least %s (least_age), so that a number without a unit, which is seconds, deletes '
              'nothing; batch is 1 or more.', coalesce(greatest(least_age, interval '0')::text, 'null')
            ),
            hint = 'For example: select * from upload_pipeline.purge(older_than => interval ''90 days''); with '
              'dry_run => true it only counts. Pass least_age => ''0'' as well to delete what is younger than a day.';
  end if;

  -- A longer interval could lead out of the range of timestamptz, and nothing is that old.
  v_before := upload_pipeline.clock() - least(older_than, interval '1000 years');

  if dry_run then
    return query select c.jobs, c.documents, c.deliveries from upload_pipeline.count_purgeable(v_before) as c;
    return;
  end if;

  -- With offset 0 the content of each job is looked up. The planner would read all contents to find the few with bytes.
  with finished as (
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
         offset 0
       )
       and not exists (
         select
           from upload_pipeline.notifications as n
          where n.job_id = j.job_id
            and n.run_after is not null
         offset 0
       )
     order by j.updated_at
     limit batch
       for update of j, d skip locked
  ), abandoned as (
    -- The index of unconfirmed jobs begins with the status.
    select a.job_id
      from upload_pipeline.statuses as s
      cross join lateral (
        select j.job_id
          from upload_pipeline.upload_jobs as j
          join upload_pipeline.documents as d on d.document_id = j.document_id
         where j.status = s.status
           and not j.terminal
           and not j.upload_confirmed
           and j.updated_at < v_before
           and not exists (
             select
               from upload_pipeline.contents as c
              where c.job_id = j.job_id
                and c.content is not null
             offset 0
           )
           and not exists (
             select
               from upload_pipeline.notifications as n
              where n.job_id = j.job_id
                and n.run_after is not null
             offset 0
           )
         order by j.updated_at
         limit batch
           for update of j, d skip locked
      ) as a
     where not s.terminal
     limit batch
  )
  select array_agg(due.job_id) into v_due
    from (select f.job_id from finished as f union all select a.job_id from abandoned as a) as due;

  -- Checked again, now that the jobs are locked: content or a step may have come since the first statement began.
  v_due := array(
    select due.job_id
      from unnest(v_due) as due (job_id)
     where not exists (
       select
         from upload_pipeline.contents as c
        where c.job_id = due.job_id
          and c.content is not null
       offset 0
     )
       and not exists (
         select
           from upload_pipeline.notifications as n
          where n.job_id = due.job_id
            and n.run_after is not null
         offset 0
       )
  );

  update upload_pipeline.documents as d
     set purged_paths = d.purged_paths || purged.paths
    from (
      select o.document_id, array_agg(o.path) as paths
        from (
          select j.document_id, c.path
            from upload_pipeline.upload_jobs as j
            join upload_pipeline.contents as c on c.job_id = j.job_id
           where j.job_id = any (v_due)
             and c.path is not null
          union all
          select j.document_id, a.path
            from upload_pipeline.upload_jobs as j
            join upload_pipeline.artifacts as a on a.job_id = j.job_id
           where j.job_id = any (v_due)
        ) as o
       group by o.document_id
    ) as purged
   where d.document_id = purged.document_id;

  perform upload_pipeline.queue_requests_of_jobs('delete', v_due);

  with gone as (
    delete from upload_pipeline.upload_jobs as j
     where j.job_id = any (v_due)
    returning j.document_id
  )
  select count(*), array_agg(gone.document_id) into jobs, v_document_ids from gone;

  -- Documents whose file was announced and never confirmed, and that nothing needs any more.
  select e.documents into documents
    from upload_pipeline.erase_documents(array(
      select d.document_id
        from upload_pipeline.documents as d
       where d.document_id = any (v_document_ids)
         and not d.upload_confirmed
         and d.purged_paths = '{}'
         and not exists (select from upload_pipeline.upload_jobs as j where j.document_id = d.document_id)
    )) as e;

  with due as (
    select d.source, d.delivery_id
      from upload_pipeline.webhook_deliveries as d
     where d.job_id is null
       and d.first_seen < v_before
       and d.last_seen < v_before
     order by d.first_seen
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

  with due as (
    select r.provider, r.parse_job_id, r.kind
      from upload_pipeline.provider_requests as r
     where r.done_at < v_before
     order by r.done_at
     limit batch
       for update skip locked
  )
  delete from upload_pipeline.provider_requests as r
   using due
   where r.parse_job_id = due.parse_job_id
     and r.provider = due.provider
     and r.kind = due.kind;
  get diagnostics v_count = row_count;
  v_others := v_others || v_count;

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
  get diagnostics v_count = row_count;
  v_others := v_others || v_count;

  -- Sums of windows that have ended. The next reservation of their owner makes the row again.
  delete from upload_pipeline.credit_caps as c
   where c.scope = 'each'
     and c.owner_id is not null
     and c.starts_at < date_trunc(c.period, upload_pipeline.clock(), 'UTC');
  get diagnostics v_count = row_count;
  v_others := v_others || v_count;

  -- The reasons of pauses that have ended.
  update upload_pipeline.statuses as s
     set paused_until = null,
         paused_because = null,
         paused_by = null
   where s.paused_until < v_before;
  get diagnostics v_count = row_count;
  v_others := v_others || v_count;

  delete from upload_pipeline.provider_pauses as p
   where p.paused_until < v_before;
  get diagnostics v_count = row_count;
  v_others := v_others || v_count;

  delete from upload_pipeline.operator_actions as a
   where a.at < v_before;
  get diagnostics v_count = row_count;
  v_others := v_others || v_count;

  -- Groups without jobs, unless one is still to be announced.
  v_group_ids := array(
    select g.group_id
      from upload_pipeline.job_groups as g
     where g.created_at < v_before
       and g.check_after is null
       and not exists (select from upload_pipeline.upload_jobs as j where j.group_id = g.group_id)
       and not exists (
         select
           from upload_pipeline.notifications as n
          where n.group_id = g.group_id
            and n.run_after is not null
       )
     order by g.created_at
     limit batch
       for update skip locked
  );
  -- A new statement, which sees a job that joined a group before the lock.
  delete from upload_pipeline.job_groups as g
   where g.group_id = any (v_group_ids)
     and not exists (select from upload_pipeline.upload_jobs as j where j.group_id = g.group_id);
  get diagnostics v_count = row_count;
  v_others := v_others || v_count;

  if jobs + documents + deliveries > 0 or 0 < any (v_others) then
    perform upload_pipeline.record_action(
      'purge', purge.reason,
      details => jsonb_build_object(
        'older_than', older_than, 'jobs', jobs, 'documents', documents, 'deliveries', deliveries
      )
    );
  end if;

  return next;
end;
$$;

comment on function upload_pipeline.purge(interval, integer, interval, boolean, text) is
  'Deletes jobs that have not moved for `older_than`, with their whole histories and deliveries: finished ones '
  '(failed and cancelled ones too), and unfinished ones whose upload was never confirmed, with their document if '
  'nothing else needs it. Queues the deletion of their provider jobs at the providers. Also deletes deliveries that '
  'never found a job, groups without jobs, settled reservations of earlier months, requests to providers that are '
  'done, and actions of operators. Deletes at most `batch` of each kind: call it again until all counts are 0. Other '
  'documents and stored objects stay; erase_document and erase_owner delete those. older_than is at least least_age. '
  'dry_run deletes nothing and counts all that is old enough. Raises UP006.';

revoke all on function upload_pipeline.purge(interval, integer, interval, boolean, text) from public;
grant execute on function upload_pipeline.purge(interval, integer, interval, boolean, text) to hookline_operator;
