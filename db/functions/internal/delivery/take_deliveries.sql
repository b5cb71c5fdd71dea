-- Takes many deliveries without content, and does not wait for the jobs that other sessions hold. First it takes the
-- free locks, of the provider jobs and then of the jobs. Then one statement reads the rows of each delivery, decides
-- its outcome, moves the jobs of applied deliveries, and records all deliveries. The locks are taken by earlier
-- statements, because a statement does not see what others have committed since it began. A delivery whose locks are
-- not free is `busy`. A delivery that receive_event would refuse is `refused`; refuse_delivery says why. A delivery
-- that shares its id or document with an earlier one of the call is `late`: take it again in a call of its own.
-- Locks: provider job (advisory), document (if a report is parked), job, delivery.
-- Calls: apply_parked_reports, clock, invalid_argument_of, raise_conflict, report_step, write_steps.
create or replace function upload_pipeline.take_deliveries(deliveries upload_pipeline.delivery[])
returns upload_pipeline.answer[]
language plpgsql
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
  v_busy bigint[];
  v_late bigint[] := array[]::bigint[];
  v_locked uuid[];
  v_documents uuid[];
  v_answers upload_pipeline.answer[];
  v_answer upload_pipeline.answer;
  v_conflict bigint;
begin
  select coalesce(array_agg(d.ordinality), '{}') into v_busy
    from unnest(deliveries) with ordinality as d
   where d.parse_job_id is not null
     and not pg_try_advisory_xact_lock(hashtextextended(d.parse_job_id, 0));

  select coalesce(array_agg(l.job_id), '{}'), array_agg(l.document_id) filter (where l.is_parked)
    into v_locked, v_documents
    from (
      select j.job_id, j.document_id, exists (
               select
                 from upload_pipeline.webhook_deliveries as w
                where w.parse_job_id = d.parse_job_id
                  and w.job_id is null
                  and w.outcome = 'parked'
             ) as is_parked
        from unnest(deliveries) as d
        left join upload_pipeline.provider_jobs as p on p.parse_job_id = d.parse_job_id
        join upload_pipeline.upload_jobs as j on j.job_id = coalesce(d.job_id, p.job_id)
       where d.code is not null
         for no key update of j skip locked
    ) as l;

  -- Parked deliveries will be applied in this transaction. They write the job's row a second time, and Postgres then
  -- checks its foreign keys again, which locks the document.
  if v_documents is not null then
    with free as materialized (
      select d.document_id
        from upload_pipeline.documents as d
       where d.document_id = any (v_documents)
         for key share skip locked
    )
    select coalesce(array_agg(j.job_id), '{}') into v_locked
      from upload_pipeline.upload_jobs as j
     where j.job_id = any (v_locked)
       and (j.document_id <> all (v_documents) or j.document_id in (select f.document_id from free as f));
  end if;

  if cardinality(deliveries) > 1 then
    select coalesce(array_agg(d.ordinality), '{}') into v_late
      from (
        select d.ordinality, d.parse_job_id, j.document_id,
               row_number() over (partition by d.source, d.delivery_id order by d.ordinality) as nth_of_id,
               row_number() over (partition by d.parse_job_id order by d.ordinality) as nth_of_provider_job,
               row_number() over (partition by j.document_id order by d.ordinality) as nth_of_document
          from unnest(deliveries) with ordinality as d
          left join upload_pipeline.provider_jobs as p on p.parse_job_id = d.parse_job_id
          left join upload_pipeline.upload_jobs as j on j.job_id = coalesce(d.job_id, p.job_id)
      ) as d
     where d.nth_of_id > 1
        or d.nth_of_provider_job > 1 and d.parse_job_id is not null
        or d.nth_of_document > 1 and d.document_id is not null;
  end if;

  with judged as materialized (
    select d.ordinality, d.source, d.delivery_id, d.body_sha256, d.event_type, d.code, d.parse_job_id, d.payload,
           d.correlation_id, p.job_id is not null as is_linked, w.row_id, w.content_ordinal, j.job_id, j.document_id,
           j.status, j.version, j.attempt, j.max_attempts, j.run_after, j.parsed_path, j.parsed_sha256, j.parsed_bytes,
           j.last_error, s as step,
           case
             when d.ordinality = any (v_late) then 'late'
             when upload_pipeline.invalid_argument_of(
               d.source, d.delivery_id, d.body_sha256, d.event_type, d.code, c.code is not null, d.job_id,
               d.parse_job_id, d.payload
             ) is not null
               or length(d.correlation_id) not between 1 and 200 or d.correlation_id ~ '[[:cntrl:]]'
             then 'refused'
             when d.ordinality = any (v_busy) then 'busy'
             -- The job is unknown.
             when d.code is not null and d.job_id is not null and j.job_id is null then 'refused'
             when j.job_id is not null and j.job_id <> all (v_locked) then 'busy'
             -- The ids do not belong together.
             when d.document_id <> j.document_id or p.job_id <> j.job_id then 'refused'
             -- Only an applied delivery blocks its repetition. Two thin events are the same if their type and provider
             -- job are the same, because providers may serialise a retry differently. No sender gets the receipt of
             -- another job.
             when w.outcome = 'applied' and w.job_id = j.job_id and (
               w.body_sha256 = d.body_sha256
               or w.content_ordinal is null and w.event_type = d.event_type and w.parse_job_id = d.parse_job_id
             ) then 'duplicate'
             when w.outcome = 'applied' or w.job_id is distinct from j.job_id and w.job_id is not null then 'refused'
             when d.code is null then 'ignored'
             -- An operator may have said that this provider job is not ours (settle_parked).
             when j.job_id is null then case
               when exists (
                 select
                   from upload_pipeline.webhook_deliveries as i
                  where i.parse_job_id = d.parse_job_id
                    and i.job_id is null
                    and i.outcome = 'ignored'
                    and i.code is not null
               ) then 'ignored'
               else 'parked'
             end
             when s.status is null then 'stale'
             else 'applied'
           end as outcome
      from unnest(deliveries) with ordinality as d
      left join upload_pipeline.event_codes as c on c.code = d.code and c.reported and c.code <> 'parse_completed'
      -- With offset 0 each row is looked up by its key, whatever number of rows the planner expects.
      left join lateral (
        select k.job_id from upload_pipeline.provider_jobs as k where k.parse_job_id = d.parse_job_id offset 0
      ) as p on true
      left join lateral (
        select k.job_id, k.document_id, k.status, k.version, k.attempt, k.max_attempts, k.run_after, k.terminal,
               k.failed, k.has_content, k.parsed_path, k.parsed_sha256, k.parsed_bytes, k.last_error
          from upload_pipeline.upload_jobs as k
         where k.job_id = coalesce(d.job_id, p.job_id)
           and d.code is not null
        offset 0
      ) as j on true
      left join lateral (
        select k.ctid as row_id, k.job_id, k.outcome, k.body_sha256, k.event_type, k.parse_job_id, k.content_ordinal
          from upload_pipeline.webhook_deliveries as k
         where k.delivery_id = d.delivery_id
           -- Otherwise a planner that believes the table is empty would use the index of source and first_seen.
           and (k.source = d.source) is true
        offset 0
      ) as w on true
      left join lateral upload_pipeline.report_step(
        j.job_id, j.document_id, j.status, j.attempt, j.terminal, j.failed, j.has_content, j.parsed_path, d.code,
        d.parse_job_id
      ) as s on true
  ),
  moved as materialized (
    select e.job_id, e.event_id, e.to_status, e.version
      from upload_pipeline.write_steps(array(
        select row(
                 g.job_id, g.step, g.payload, g.correlation_id, g.attempt, g.max_attempts, g.run_after, g.parsed_path,
                 g.parsed_sha256, g.parsed_bytes,
                 case
                   when (g.step).failed then g.payload || jsonb_build_object('code', g.code)
                   else g.last_error
                 end
               )::upload_pipeline.move
          from judged as g
         where g.outcome = 'applied'
      )) as e
  ),
  linked as (
    insert into upload_pipeline.provider_jobs (parse_job_id, job_id, attempt)
    select g.parse_job_id, g.job_id, g.attempt
      from judged as g
     where g.outcome = 'applied'
       and g.parse_job_id is not null
       and not g.is_linked
  ),
  repeated as (
    update upload_pipeline.webhook_deliveries as w
       set last_seen = upload_pipeline.clock(),
           times_seen = w.times_seen + 1
     where w.ctid = any (array(select g.row_id from judged as g where g.outcome = 'duplicate'))
  ),
  recorded as (
    insert into upload_pipeline.webhook_deliveries as w (
      source, delivery_id, body_sha256, event_type, outcome, job_id, parse_job_id, code, payload, correlation_id,
      check_after
    )
    select g.source, g.delivery_id, g.body_sha256, g.event_type, g.outcome, g.job_id, g.parse_job_id, g.code,
           g.payload, g.correlation_id, case when g.outcome = 'parked' then upload_pipeline.clock() end
      from judged as g
     where g.outcome in ('applied', 'stale', 'ignored', 'parked')
    on conflict on constraint webhook_deliveries_pkey do update
       set last_seen = excluded.last_seen,
           times_seen = w.times_seen + 1,
           body_sha256 = excluded.body_sha256,
           event_type = excluded.event_type,
           outcome = excluded.outcome,
           job_id = excluded.job_id,
           content_ordinal = excluded.content_ordinal,
           parse_job_id = excluded.parse_job_id,
           code = excluded.code,
           payload = excluded.payload,
           correlation_id = excluded.correlation_id,
           check_after = excluded.check_after
     where w.outcome <> 'applied'
       and (w.job_id is null or w.job_id is not distinct from excluded.job_id)
    returning w.source, w.delivery_id
  )
  select array_agg(
           row(
             g.ordinality, g.outcome, g.job_id, g.document_id, coalesce(m.to_status, g.status),
             coalesce(m.version, g.version), m.event_id, case when g.outcome = 'duplicate' then g.content_ordinal end,
             null, null, null, null, null
           )::upload_pipeline.answer
           order by g.ordinality
         ),
         min(g.ordinality) filter (
           where g.outcome in ('applied', 'stale', 'ignored', 'parked') and r.delivery_id is null
         )
    into v_answers, v_conflict
    from judged as g
    left join moved as m on m.job_id = g.job_id and g.outcome = 'applied'
    left join recorded as r on r.source = g.source and r.delivery_id = g.delivery_id;

  -- Another session has committed the same delivery for another job since the statement began.
  if v_conflict is not null then
    perform upload_pipeline.raise_conflict(deliveries[v_conflict].source, deliveries[v_conflict].delivery_id, null);
  end if;

  if v_documents is not null then
    foreach v_answer in array v_answers loop
      if v_answer.outcome = 'applied' then
        perform upload_pipeline.apply_parked_reports(deliveries[v_answer.number].parse_job_id, v_answer.job_id);
      end if;
    end loop;
  end if;

  return v_answers;
end;
$$;

comment on function upload_pipeline.take_deliveries(upload_pipeline.delivery[]) is
  'Takes many deliveries without content, and answers each in order: its outcome, or busy, refused or late. These '
  'three changed nothing. Raises UP007 if a delivery was taken for another job at the same moment.';

revoke all on function upload_pipeline.take_deliveries(upload_pipeline.delivery[]) from public;
