create or replace view upload_pipeline.job_overview as
select j.job_id,
       j.document_id,
       d.owner_id,
       d.filename,
       j.status,
       j.version,
       j.attempt,
       j.max_attempts,
       j.upload_confirmed,
       j.terminal,
       j.failed,
       j.has_content,
       j.deadline_at < clock.now as overdue,
       j.run_after,
       j.deadline_at,
       j.leased_by,
       j.leased_until,
       j.correlation_id,
       j.provider,
       j.options,
       j.metadata,
       j.priority,
       j.group_id,
       j.parsed_path,
       j.parsed_sha256,
       j.parsed_bytes,
       j.last_error,
       j.created_at,
       j.updated_at,
       case
         when j.terminal then null
         when not j.upload_confirmed then 'its upload is not confirmed'
         when j.leased_until >= clock.now then
           format('leased by %s until %s', j.leased_by, upload_pipeline.in_utc(j.leased_until))
         when j.lease_token is not null then
           format(
             'the lease of %s ended at %s, the next claim takes it back', j.leased_by,
             upload_pipeline.in_utc(j.leased_until)
           )
         when s.paused_until > clock.now and (j.claimable or j.deadline_at <= clock.now) then
           format(
             'stage paused by %s until %s because: %s', s.paused_by, upload_pipeline.in_utc(s.paused_until),
             s.paused_because
           )
         when pause.paused_until > clock.now and (j.claimable or j.deadline_at <= clock.now) then
           format(
             'provider %s paused by %s until %s because: %s', j.provider, pause.paused_by,
             upload_pipeline.in_utc(pause.paused_until), pause.paused_because
           )
         when j.claimable and j.run_after > clock.now and j.last_error is null then
           format('not before %s', upload_pipeline.in_utc(j.run_after))
         when j.claimable and j.run_after > clock.now or not j.claimable and j.deadline_at = j.run_after
           and j.deadline_at > clock.now
           then format('backs off until %s', upload_pipeline.in_utc(j.run_after))
         when j.claimable and j.deadline_at is null then 'waits for a stage of your own'
         when j.claimable and not j.has_content and j.provider is not null
           and (p.served_at > clock.now - interval '5 minutes') is not true
           then format('waits for a worker that has the provider %s', j.provider)
         when j.claimable then 'waits for a worker'
         when j.deadline_at is null then 'waits for somebody else''s answer'
         when j.deadline_at > clock.now then
           format('waits for the provider until %s', upload_pipeline.in_utc(j.deadline_at))
         else format('past its deadline since %s, waits for a worker', upload_pipeline.in_utc(j.deadline_at))
       end as waits_because
  from upload_pipeline.upload_jobs as j
  join upload_pipeline.documents as d on d.document_id = j.document_id
  join upload_pipeline.statuses as s on s.status = j.status
  left join upload_pipeline.providers as p on p.provider = j.provider
  left join upload_pipeline.provider_pauses as pause on pause.status = j.status and pause.provider = j.provider
  -- The clock is not called in the select list. A volatile column there would make Postgres compute the whole view,
  -- even if a query reads only a few rows.
  cross join (select upload_pipeline.clock() as now) as clock;

comment on view upload_pipeline.job_overview is
  'One row for each job, with its document: its status, since when, its last error, and why it '
  'waits (null: it is finished). Times in a text are in UTC.';

revoke all on upload_pipeline.job_overview from public;
grant select on upload_pipeline.job_overview to hookline_reader;
