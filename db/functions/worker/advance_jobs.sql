-- Moves many jobs as advance_job does. One statement locks and moves most of them together, without waiting for a lock.
-- Each of the rest gets advance_job in a subtransaction of its own, which says what is wrong with it: so does every job
-- of the call if one of them breaks a rule that only a constraint holds.
-- Locks: document (never: advance_job does so for keep_lease), job, deletion, artifact, provider request.
-- Calls: advance_job, check_isolation, write_steps.
create or replace function upload_pipeline.advance_jobs(
  job_ids uuid[],
  lease_tokens uuid[],
  codes text[],
  payloads jsonb[]
)
returns setof upload_pipeline.answer
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '2s'
set plan_cache_mode = force_generic_plan
-- Each row is looked up by its key, whatever number of rows the planner expects.
set enable_seqscan = off
set jit = off
set enable_bitmapscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
  v_moves upload_pipeline.move[];
  v_answers upload_pipeline.answer[];
  v_answer upload_pipeline.answer;
  v_receipt upload_pipeline.receipt;
begin
  perform upload_pipeline.check_isolation();

  -- An empty array has no bounds.
  if job_ids is null or lease_tokens is null or codes is null or payloads is null
    or array_ndims(payloads) > 1
    or (array_dims(job_ids), array_dims(lease_tokens), array_dims(codes))
      is distinct from (array_dims(payloads), array_dims(payloads), array_dims(payloads))
    or array_lower(payloads, 1) <> 1
  then
    raise exception 'cannot advance % jobs with % leases, % codes and % payloads',
      coalesce(cardinality(job_ids)::text, 'null'), coalesce(cardinality(lease_tokens)::text, 'null'),
      coalesce(cardinality(codes)::text, 'null'), coalesce(cardinality(payloads)::text, 'null')
      using errcode = 'UP006',
            detail = 'The four arrays have one element for each job, numbered from 1.',
            hint = 'Pass arrays of the same length, for example array[''{}''::jsonb] as payloads for one job.';
  end if;

  begin
    with leased as materialized (
      select a.number, a.code, a.payload, j as job, j.job_id, j.document_id, j.status, j.version, j.has_content,
             j.last_error
        from unnest(job_ids, lease_tokens, codes, payloads)
          with ordinality as a (job_id, lease_token, code, payload, number)
        join upload_pipeline.upload_jobs as j on j.job_id = a.job_id
       where j.lease_token = a.lease_token
         and jsonb_typeof(a.payload) = 'object'
         for no key update of j skip locked
    )
    select array_agg(row(
             -- A step out of a status is a success. In place, the job keeps its last error.
             case
               when l.last_error is null or s.status = l.status then l.job
               else jsonb_populate_record(l.job, '{"last_error": null}')
             end,
             row(
               c.code, s.status, s.terminal, s.failed, s.claimable, s.has_content, s.overdue_after,
               s.announced_since is not null, c.event_type, c.severity
             )::upload_pipeline.step,
             l.payload, null, null, null
           )::upload_pipeline.move),
           array_agg(row(
             l.number, 'applied', l.job_id, l.document_id, s.status, l.version + 1, null, null, null, null, null, null,
             null
           )::upload_pipeline.answer)
      into v_moves, v_answers
      from leased as l
      join upload_pipeline.event_codes as c
        on c.code = l.code
       and c.event_type in ('stage_started', 'stage_done', 'finalized')
       and c.to_status is distinct from l.status
      join upload_pipeline.transitions as t
        on t.from_status = l.status
       and t.to_status = coalesce(c.to_status, l.status)
       and t.event_type = c.event_type
       and t.enabled
      join upload_pipeline.statuses as s on s.status = t.to_status
     where l.has_content or not s.has_content;

    if v_moves is not null then
      return query
      select a.number, a.outcome, a.job_id, a.document_id, e.to_status, a.version, e.event_id, a.ordinal, a.path,
             a.sqlstate, a.message, a.detail, a.hint
        from upload_pipeline.write_steps(v_moves) as e
        join unnest(v_answers) as a on a.job_id = e.job_id;
    end if;
  exception
    -- The connection leads to a read-only server, which is the fault of no job.
    when read_only_sql_transaction then
      raise;
    when others then
      v_answers := null;
  end;

  for v_number in 1 .. cardinality(job_ids) loop
    continue when exists (select from unnest(v_answers) as a where a.number = v_number);

    v_answer := null;
    v_answer.number := v_number;
    begin
      -- The other jobs of the call do not wait for whoever holds this one.
      perform
        from upload_pipeline.upload_jobs as j
       where j.job_id = job_ids[v_number]
         for no key update nowait;
      v_receipt := upload_pipeline.advance_job(
        job_ids[v_number], lease_tokens[v_number], codes[v_number], payloads[v_number]
      );
      v_answer.outcome := v_receipt.outcome;
      v_answer.job_id := v_receipt.job_id;
      v_answer.document_id := v_receipt.document_id;
      v_answer.status := v_receipt.status;
      v_answer.version := v_receipt.version;
      v_answer.event_id := v_receipt.event_id;
    exception
      when others then
        get stacked diagnostics
          v_answer.sqlstate = returned_sqlstate,
          v_answer.message = message_text,
          v_answer.detail = pg_exception_detail,
          v_answer.hint = pg_exception_hint;
    end;
    return next v_answer;
  end loop;
end;
$$;

comment on function upload_pipeline.advance_jobs(uuid[], uuid[], text[], jsonb[]) is
  'Moves many leased jobs as advance_job does, in one transaction, and ends their leases. Answers each, in any order: '
  'its number from 1, and its receipt; or, with outcome null, the SQLSTATE, message, detail and hint that advance_job '
  'would raise. SQLSTATE 55P03 in a row: another session holds the job, nothing was changed, and advance_job waits '
  'for it. Raises UP006, UP012; 25006 if the server is read-only.';

revoke all on function upload_pipeline.advance_jobs(uuid[], uuid[], text[], jsonb[]) from public;
grant execute on function upload_pipeline.advance_jobs(uuid[], uuid[], text[], jsonb[]) to hookline_worker;
