-- Writes the document, and a job with its first event. The CHECK constraints of documents hold the rules; here a
-- violation only gets a sentence. A file may be described again until its upload is confirmed. The unique index over
-- unfinished jobs decides between two calls at the same time.
-- Locks: document, raw path (advisory), deletion, group.
-- Calls: cancel_deletion, check_correlation_id, check_isolation, check_provider, clock, join_group, queue_deletion,
-- receipt_of, uuid7.
create or replace function upload_pipeline.create_job(
  owner_id uuid,
  filename text,
  mime text,
  bytes_len bigint,
  file_sha256 text,
  raw_path text,
  correlation_id text default null,
  options jsonb default '{}',
  metadata jsonb default '{}',
  priority integer default 0,
  not_before timestamptz default null,
  provider text default null,
  group_id uuid default null
)
returns upload_pipeline.receipt
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
-- A plan made while the tables were small has to suit large ones. Before Postgres 18, a plan that reads a table whole
-- all the same looks so expensive that Postgres would compile it.
set enable_seqscan = off
set jit = off
as $$
declare
  -- As browsers and file(1) send it: perhaps empty, in upper case or with parameters.
  v_mime text := coalesce(
    nullif(lower(btrim(split_part(create_job.mime, ';', 1), E' \t\r\n') collate "C"), ''), 'application/octet-stream'
  );
  v_previous record;
  v_document record;
  v_job_id uuid := upload_pipeline.uuid7();
  v_now timestamptz := upload_pipeline.clock();
  v_run_after timestamptz := greatest(create_job.not_before, v_now);
  v_initial upload_pipeline.statuses;
  v_code upload_pipeline.event_codes;
  v_job upload_pipeline.upload_jobs;
  v_event upload_pipeline.events;
  v_reason text;
  v_constraint text;
begin
  perform upload_pipeline.check_isolation();
  perform upload_pipeline.check_correlation_id(correlation_id);
  perform upload_pipeline.check_provider(provider);

  select s.* into v_initial from upload_pipeline.statuses as s where s.initial;
  select c.* into v_code from upload_pipeline.event_codes as c where c.code = 'job_created';
  if v_initial.status is null or v_code.code is null then
    raise exception 'no job can be made: % is missing',
      case when v_initial.status is null then 'the initial status' else 'the event code job_created' end
      using errcode = 'UP011',
            detail = 'A job starts in the one status that is initial, with an event of the code job_created.',
            hint = 'Set initial = true for one row of upload_pipeline.statuses, or insert job_created into '
              'upload_pipeline.event_codes as db/pipelines/parse.sql does.';
  end if;

  -- A second round, because another session may have made the document since it was looked for. The first round has
  -- locked it then, so that the second one sees its path.
  for v_round in 1 .. 2 loop
    select d.document_id, d.raw_path, d.upload_confirmed into v_previous
      from upload_pipeline.documents as d
     where d.owner_id = create_job.owner_id
       and d.file_sha256 = create_job.file_sha256
       for no key update;

    insert into upload_pipeline.documents as d (owner_id, filename, mime, bytes_len, file_sha256, raw_path)
    values (
      create_job.owner_id, create_job.filename, v_mime, create_job.bytes_len, create_job.file_sha256,
      create_job.raw_path
    )
    on conflict on constraint one_document_a_file_of_an_owner do update
       set filename = case when d.upload_confirmed then d.filename else excluded.filename end,
           mime = case when d.upload_confirmed then d.mime else excluded.mime end,
           bytes_len = case when d.upload_confirmed then d.bytes_len else excluded.bytes_len end,
           raw_path = case when d.upload_confirmed then d.raw_path else excluded.raw_path end
     where d.document_id = v_previous.document_id
    returning d.document_id, d.upload_confirmed into v_document;
    exit when found;
  end loop;

  if not v_document.upload_confirmed then
    perform upload_pipeline.cancel_deletion(create_job.raw_path);
  end if;

  if not v_previous.upload_confirmed and v_previous.raw_path <> create_job.raw_path then
    -- A file may have been uploaded to the old path, and no document names that path any more.
    perform upload_pipeline.queue_deletion(v_previous.raw_path);
  end if;

  if create_job.group_id is not null then
    perform upload_pipeline.join_group(create_job.group_id, create_job.owner_id);
  end if;

  -- Another round is needed only if the job in the way finishes at this moment.
  for v_round in 1 .. 10 loop
    insert into upload_pipeline.upload_jobs (
      job_id, document_id, owner_id, status, terminal, failed, claimable, has_content, upload_confirmed, correlation_id,
      provider, options, metadata, priority, group_id, run_after, deadline_at, created_at, updated_at
    ) values (
      v_job_id, v_document.document_id, create_job.owner_id, v_initial.status, v_initial.terminal, v_initial.failed,
      v_initial.claimable, v_initial.has_content, v_document.upload_confirmed,
      coalesce(create_job.correlation_id, v_job_id::text),
      coalesce(
        create_job.provider,
        (select o.provider from upload_pipeline.owner_settings as o where o.owner_id = create_job.owner_id)
      ),
      coalesce(create_job.options, '{}'), coalesce(create_job.metadata, '{}'), coalesce(create_job.priority, 0),
      create_job.group_id, v_run_after, v_run_after + v_initial.overdue_after, v_now, v_now
    )
    on conflict (document_id) where not terminal do nothing
    returning * into v_job;
    exit when found;

    select j.* into v_job
      from upload_pipeline.upload_jobs as j
     where j.document_id = v_document.document_id
       and not j.terminal;
    if found then
      return upload_pipeline.receipt_of('duplicate', v_job);
    end if;
  end loop;
  if v_job.job_id is null then
    raise exception 'the document of % has another job that finishes and comes back', quote_literal(create_job.filename)
      using errcode = 'UP009',
            detail = format('Document %s may have one unfinished job.', v_document.document_id),
            hint = 'Call again. If it happens again, look in upload_pipeline.job_timeline for who moves that job.';
  end if;

  insert into upload_pipeline.events (
    job_id, version, document_id, to_status, type, severity, code, payload, correlation_id, ts
  ) values (
    v_job.job_id, 1, v_job.document_id, v_job.status, v_code.event_type, v_code.severity, v_code.code,
    jsonb_build_object('filename', create_job.filename, 'bytes_len', create_job.bytes_len)
      || case when v_job.provider is null then '{}' else jsonb_build_object('provider', v_job.provider) end,
    v_job.correlation_id, v_now
  )
  returning * into v_event;

  return upload_pipeline.receipt_of('applied', v_job, v_event);
exception
  when check_violation or not_null_violation or numeric_value_out_of_range or datetime_field_overflow then
    get stacked diagnostics v_reason = message_text, v_constraint = constraint_name;
    raise exception 'cannot create a job for file %', coalesce(quote_literal(left(create_job.filename, 200)), 'null')
      using errcode = 'UP006',
            detail = v_reason,
            hint = case
              when v_constraint in ('storage_path_has_a_bucket_and_a_name', 'raw_path_is_not_of_parsed_content') then
                'Rename the object, then pass its path as storage://bucket/key. A name may have letters and digits '
                'without accents, blanks and _!.*''()&$=@;:+,?- in it, up to 255 characters; it is not `.` or `..`. '
                'The whole has at most 950 characters. The bucket `parsed` is for parsed content.'
              when sqlstate = '22003'
                or v_constraint in (
                  'nesting_is_at_most_50_deep', 'numbers_are_at_most_1e300', 'value_is_an_object_of_at_most_16_kb',
                  'priority_is_0_to_9'
                )
              then
                'options and metadata are JSON objects of at most 16 KB each, at most 50 levels deep, with numbers up '
                'to 1e300. priority is 0 to 9.'
              else
                'owner_id, filename, bytes_len > 0, file_sha256 (64 lowercase hex digits) and raw_path are required. '
                'mime is empty or type/subtype. correlation_id has 1 to 200 printable characters. not_before is before '
                'the year 9999.'
            end;
end;
$$;

comment on function upload_pipeline.create_job(
  uuid, text, text, bigint, text, text, text, jsonb, jsonb, integer, timestamptz, text, uuid
) is
  'Creates a job for a file of an owner, in the initial status. The same file of the same owner is the same '
  'document. If that document has an unfinished job, the receipt names it and nothing of it is changed. A job is not '
  'claimed before confirm_upload, nor before not_before. options are for the parser, metadata is the application''s. '
  'priority (0 to 9) orders the jobs of one owner. provider null is that of set_owner. group_id is an id that '
  'several jobs of one owner share, until close_group. The media type is stored in lower case and without parameters; '
  'it is application/octet-stream if it is empty. If the object at raw_path is still to be deleted, its deletion is '
  'cancelled. Outcomes: applied, duplicate. Raises UP006, UP009, UP011, and UP020 while that deletion may be under '
  'way.';

revoke all on function upload_pipeline.create_job(
  uuid, text, text, bigint, text, text, text, jsonb, jsonb, integer, timestamptz, text, uuid
) from public;
grant execute on function upload_pipeline.create_job(
  uuid, text, text, bigint, text, text, text, jsonb, jsonb, integer, timestamptz, text, uuid
) to hookline_operator;
