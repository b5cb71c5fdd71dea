-- Changes nothing. A row appears after DDL took away a constraint or a trigger, after a load with foreign keys off,
-- after a step that was written by hand with a wrong time, or after a fault of the disk.
-- Locks: none. Calls: differing_counts, provider_of.
create or replace function upload_pipeline.check_integrity()
returns table (violation text, job_id uuid, detail text)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
  select 'history_has_gaps', j.job_id,
         format('version %s, %s events, the last of version %s', j.version, count(e.version), max(e.version))
    from upload_pipeline.upload_jobs as j
    left join upload_pipeline.events as e on e.job_id = j.job_id
   group by j.job_id, j.version
  having count(e.version) <> j.version or max(e.version) is distinct from j.version
  union all
  select 'history_is_broken', step.job_id,
         format('event %s comes from %s after %s', step.version, step.from_status, step.previous_status)
    from (
      select e.job_id, e.version, e.from_status,
             lag(e.to_status) over (partition by e.job_id order by e.version) as previous_status
        from upload_pipeline.events as e
    ) as step
   where step.from_status is distinct from step.previous_status
  union all
  select 'birth_is_not_initial', e.job_id, format('born %s', e.to_status)
    from upload_pipeline.events as e
    left join upload_pipeline.statuses as s on s.status = e.to_status
   where e.version = 1
     and s.was_initial is not true
  union all
  select 'status_without_event', j.job_id, format('is %s, its last event led to %s', j.status, e.to_status)
    from upload_pipeline.upload_jobs as j
    join upload_pipeline.events as e on e.job_id = j.job_id and e.version = j.version
   where e.to_status <> j.status
  union all
  select 'time_runs_backwards', step.job_id,
         format('event %s at %s, the one before at %s', step.version, step.ts, step.previous_ts)
    from (
      select e.job_id, e.version, e.ts, lag(e.ts) over (partition by e.job_id order by e.version) as previous_ts
        from upload_pipeline.events as e
    ) as step
   where step.ts < step.previous_ts
  union all
  select 'event_without_job', e.job_id, format('event %s, document %s', e.version, e.document_id)
    from upload_pipeline.events as e
    left join upload_pipeline.upload_jobs as j on j.job_id = e.job_id and j.document_id = e.document_id
   where j.job_id is null
  union all
  select 'step_is_no_transition', e.job_id,
         format('event %s: %s to %s by %s', e.version, e.from_status, e.to_status, e.type)
    from upload_pipeline.events as e
    left join upload_pipeline.transitions as t
      on t.from_status = e.from_status and t.to_status = e.to_status and t.event_type = e.type
   where e.version > 1
     and t.from_status is null
  union all
  select 'flags_differ_from_status', j.job_id, format('is %s', j.status)
    from upload_pipeline.upload_jobs as j
    left join upload_pipeline.statuses as s
      on (s.status, s.terminal, s.failed, s.claimable, s.has_content)
       = (j.status, j.terminal, j.failed, j.claimable, j.has_content)
   where s.status is null
  union all
  select 'job_without_document', j.job_id, format('document %s', j.document_id)
    from upload_pipeline.upload_jobs as j
    left join upload_pipeline.documents as d
      on d.document_id = j.document_id and d.upload_confirmed = j.upload_confirmed
   where d.document_id is null
  union all
  select 'parsed_path_is_not_ours', j.job_id, j.parsed_path
    from upload_pipeline.upload_jobs as j
    left join upload_pipeline.contents as c
      on c.job_id = j.job_id
     and c.path = j.parsed_path
     and c.content_sha256 = j.parsed_sha256
     and c.content_bytes = j.parsed_bytes
   where j.parsed_path is not null
     and c.job_id is null
  union all
  select 'content_differs_from_hash', c.job_id, format('content %s', c.ordinal)
    from upload_pipeline.contents as c
   where c.content is not null
     and encode(sha256(c.content), 'hex') <> c.content_sha256
  union all
  select 'row_without_job', r.job_id, r.what
    from (
      select p.job_id, format('provider job %s of %s', p.parse_job_id, p.provider) as what
        from upload_pipeline.provider_jobs as p
      union all
      select c.job_id, format('content %s', c.ordinal)
        from upload_pipeline.contents as c
      union all
      select d.job_id, format('delivery %s of %s', d.delivery_id, d.source)
        from upload_pipeline.webhook_deliveries as d
       where d.job_id is not null
    ) as r
    left join upload_pipeline.upload_jobs as j on j.job_id = r.job_id
   where j.job_id is null
  union all
  select 'guard_is_off', null, format('trigger %s of %s', g.name, g.relation)
    from (
      values ('statuses', 'initial_status_is_remembered'),
             ('statuses', 'one_status_is_initial'),
             ('upload_jobs', 'job_moves_by_events'),
             ('upload_jobs', 'job_is_born_with_its_history'),
             ('events', 'event_moves_its_job'),
             ('events', 'events_are_append_only'),
             ('events', 'events_are_never_truncated')
    ) as g (relation, name)
    left join pg_catalog.pg_trigger as t
      on t.tgrelid = format('upload_pipeline.%s', g.relation)::regclass
     and t.tgname = g.name
     and t.tgenabled = 'A'
   where t.oid is null
  union all
  select 'parked_though_known', p.job_id, format('delivery %s of %s', d.delivery_id, d.source)
    from upload_pipeline.webhook_deliveries as d
    join upload_pipeline.provider_jobs as p
      on p.parse_job_id = d.parse_job_id
     and p.provider = upload_pipeline.provider_of(d.source)
   where d.outcome = 'parked'
  union all
  select 'count_differs', null, format('status_counts says %s jobs in %s, there are %s', d.counted, d.status, d.jobs)
    from upload_pipeline.differing_counts() as d;
$$;

comment on function upload_pipeline.check_integrity() is
  'One row for each violated invariant. No row: the database is healthy. Reads all jobs and events, several times.';

revoke all on function upload_pipeline.check_integrity() from public;
grant execute on function upload_pipeline.check_integrity() to hookline_operator;
