-- Takes many deliveries without content, and does not wait for the jobs that other sessions hold. First it takes the
-- free locks, of the provider jobs and then of the jobs. Then one statement reads the rows of each delivery and decides
-- its outcome. The locks are taken before, because a statement does not see what others have committed since it began.
-- Then the jobs of applied deliveries are moved, and all deliveries are recorded. A delivery whose locks are not free
-- is `busy`. A delivery that receive_event would refuse is `refused`; refuse_delivery says why. A delivery that shares
-- its id or document with an earlier one of the call is `late`: take it again in a call of its own.
-- Locks: provider job (advisory), document (if a report is parked), job, deletion, artifact, provider request,
-- delivery.
-- Calls: answered_attempt, apply_parked_reports, clock, invalid_argument_of, provider_of, raise_conflict, report_step,
-- uuid7, write_steps.
create or replace function upload_pipeline.take_deliveries(deliveries upload_pipeline.delivery[])
returns upload_pipeline.answer[]
language plpgsql
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
-- Each row is looked up by its key, whatever number of rows the planner expects.
set enable_seqscan = off
set enable_bitmapscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
  v_busy integer[] := array[]::integer[];
  v_late bigint[] := array[]::bigint[];
  v_locked uuid[];
  v_documents uuid[];
  v_answers upload_pipeline.answer[];
  v_answer upload_pipeline.answer;
  v_moves upload_pipeline.move[];
  v_fallen record;
  v_unlinked bigint[];
  v_repeated tid[];
  v_to_record bigint;
  v_recorded bigint;
begin
  for v_number in 1 .. coalesce(cardinality(deliveries), 0) loop
    if not pg_try_advisory_xact_lock(hashtextextended(deliveries[v_number].parse_job_id, 0)) then
      v_busy := v_busy || v_number;
    end if;
  end loop;

  select coalesce(array_agg(l.job_id), '{}'), array_agg(l.document_id) filter (where l.is_parked)
    into v_locked, v_documents
    from (
      select j.job_id, j.document_id, exists (
               select
                 from upload_pipeline.webhook_deliveries as w
                where w.parse_job_id = d.parse_job_id
                  and upload_pipeline.provider_of(w.source) = upload_pipeline.provider_of(d.source)
                  and w.job_id is null
                  and w.outcome = 'parked'
             ) as is_parked
        from unnest(deliveries) as d
        left join upload_pipeline.provider_jobs as p
          on p.parse_job_id = d.parse_job_id
         and p.provider = upload_pipeline.provider_of(d.source)
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
          left join upload_pipeline.provider_jobs as p
            on p.parse_job_id = d.parse_job_id
           and p.provider = upload_pipeline.provider_of(d.source)
          left join upload_pipeline.upload_jobs as j on j.job_id = coalesce(d.job_id, p.job_id)
      ) as d
     where d.nth_of_id > 1
        or d.nth_of_provider_job > 1 and d.parse_job_id is not null
        or d.nth_of_document > 1 and d.document_id is not null;
  end if;

  select array_agg(
           row(
             g.number, g.outcome, g.job_id, g.document_id,
             case when g.outcome = 'applied' then (g.step).status else g.status end,
             case when g.outcome = 'applied' then g.version + 1 else g.version end,
             case when g.outcome = 'applied' then g.event_id end,
             case when g.outcome = 'duplicate' then g.content_ordinal end,
             null, null, null, null, null
           )::upload_pipeline.answer
           order by g.number
         ),
         array_agg(
           row(
             g.job, g.step, g.payload, g.correlation_id, g.event_id,
             case when (g.step).failed then g.payload || jsonb_build_object('code', g.code) end
           )::upload_pipeline.move
         ) filter (where g.outcome = 'applied'),
         array_agg(g.number) filter (where g.outcome = 'applied' and g.is_unlinked),
         array_agg(g.row_id) filter (where g.outcome = 'duplicate'),
         count(*) filter (where g.outcome in ('applied', 'stale', 'ignored', 'parked'))
    into v_answers, v_moves, v_unlinked, v_repeated, v_to_record
    from (
      select d.number, d.code, d.payload, d.correlation_id,
             d.parse_job_id is not null and p.job_id is null as is_unlinked, j.job, j.job_id, j.document_id, j.status,
             j.version, w.row_id, w.content_ordinal, s as step,
             case when s.status is not null then upload_pipeline.uuid7() end as event_id,
             case
               when d.number = any (v_late) then 'late'
               when upload_pipeline.invalid_argument_of(
                 d.source, d.delivery_id, d.body_sha256, d.event_type, d.code,
                 exists (
                   select
                     from upload_pipeline.event_codes as c
                    where c.code = d.code
                      and c.reported
                      and c.code <> 'parse_completed'
                 ),
                 d.job_id, d.parse_job_id, d.payload
               ) is not null
                 or length(d.correlation_id) not between 1 and 200 or d.correlation_id ~ '[[:cntrl:]]' or d.attempt < 1
               then 'refused'
               when d.number = any (v_busy) then 'busy'
               -- The job is unknown.
               when d.code is not null and d.job_id is not null and j.job_id is null then 'refused'
               when j.job_id is not null and j.job_id <> all (v_locked) then 'busy'
               -- The ids do not belong together.
               when d.document_id <> j.document_id or p.job_id <> j.job_id then 'refused'
               -- Only an applied delivery blocks its repetition. Two thin events are the same if their type and
               -- provider job are the same, because providers may serialise a retry differently. No sender gets the
               -- receipt of another job.
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
                      and upload_pipeline.provider_of(i.source) = upload_pipeline.provider_of(d.source)
                      and i.job_id is null
                      and i.outcome = 'ignored'
                      and i.code is not null
                 ) then 'ignored'
                 else 'parked'
               end
               when s.status is null then 'stale'
               else 'applied'
             end as outcome
        from unnest(deliveries) with ordinality as d (
               source, delivery_id, body_sha256, event_type, code, job_id, document_id, parse_job_id, payload,
               correlation_id, attempt, number
             )
        -- With offset 0 each row is looked up by its key, whatever number of rows the planner expects.
        left join lateral (
          select k.job_id, k.attempt
            from upload_pipeline.provider_jobs as k
           where k.parse_job_id = d.parse_job_id
             and k.provider = upload_pipeline.provider_of(d.source)
          offset 0
        ) as p on true
        left join lateral (
          select k as job, k.job_id, k.document_id, k.status, k.version, k.attempt, k.terminal, k.failed,
                 k.has_content, k.parsed_path
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
          d.parse_job_id,
          coalesce(
            p.attempt,
            d.attempt,
            case
              when j.job_id is not null
              then upload_pipeline.answered_attempt(j.job, upload_pipeline.provider_of(d.source), d.parse_job_id)
            end
          ),
          upload_pipeline.provider_of(d.source)
        ) as s on true
      -- Judged once for each delivery, and not once for each column that needs the outcome.
      offset 0
    ) as g;

  -- Before the jobs move, because a job that falls back begins another attempt.
  if v_unlinked is not null then
    insert into upload_pipeline.provider_jobs (provider, parse_job_id, job_id, attempt)
    select upload_pipeline.provider_of((deliveries[u.number]).source), (deliveries[u.number]).parse_job_id, j.job_id,
           j.attempt
      from unnest(v_unlinked) as u (number)
      join upload_pipeline.upload_jobs as j on j.job_id = (v_answers[u.number]).job_id;
  end if;

  if v_moves is not null then
    for v_fallen in
      select e.event_id, e.to_status from upload_pipeline.write_steps(v_moves) as e where e.code = 'fell_back'
    loop
      for v_number in 1 .. cardinality(v_answers) loop
        if (v_answers[v_number]).event_id = v_fallen.event_id then
          v_answers[v_number].status := v_fallen.to_status;
        end if;
      end loop;
    end loop;
  end if;

  if v_repeated is not null then
    update upload_pipeline.webhook_deliveries as w
       set last_seen = upload_pipeline.clock(),
           times_seen = w.times_seen + 1
     where w.ctid = any (v_repeated);
  end if;

  if v_to_record > 0 then
    insert into upload_pipeline.webhook_deliveries as w (
      source, delivery_id, body_sha256, event_type, outcome, job_id, parse_job_id, code, payload, correlation_id,
      check_after
    )
    select d.source, d.delivery_id, d.body_sha256, d.event_type, (v_answers[d.ordinality]).outcome,
           (v_answers[d.ordinality]).job_id, d.parse_job_id, d.code, d.payload, d.correlation_id,
           case when (v_answers[d.ordinality]).outcome = 'parked' then upload_pipeline.clock() end
      from unnest(deliveries) with ordinality as d
     where (v_answers[d.ordinality]).outcome in ('applied', 'stale', 'ignored', 'parked')
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
       and (w.job_id is null or w.job_id is not distinct from excluded.job_id);

    get diagnostics v_recorded = row_count;
    -- Another session has committed the same delivery for another job since it was looked for. Of several deliveries,
    -- receive_events then takes each alone.
    if v_recorded < v_to_record then
      perform upload_pipeline.raise_conflict(deliveries[1].source, deliveries[1].delivery_id, null);
    end if;
  end if;

  if v_documents is not null then
    foreach v_answer in array v_answers loop
      if v_answer.outcome = 'applied' then
        perform upload_pipeline.apply_parked_reports(
          upload_pipeline.provider_of(deliveries[v_answer.number].source), deliveries[v_answer.number].parse_job_id,
          v_answer.job_id
        );
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
