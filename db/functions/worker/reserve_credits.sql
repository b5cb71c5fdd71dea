-- Writes a reservation and charges the caps, before the job is submitted. An open reservation tells the next worker
-- that the provider may have the job already, so it looks there before it pays again.
-- Locks: job, reservation (first the table, as every writer does, because set_credit_cap locks it before the caps),
-- cap.
-- Calls: charge_caps, check_credits_argument, copy_default_caps, lock_leased_job.
create or replace function upload_pipeline.reserve_credits(
  job_id uuid,
  lease_token uuid,
  credits numeric,
  again boolean default false,
  provider text default 'llamacloud'
)
returns table (outcome upload_pipeline.outcome, attempt integer, reserved numeric, reserved_at timestamptz)
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
  v_owner_id uuid;
  v_open upload_pipeline.credit_reservations;
  v_at timestamptz;
begin
  perform upload_pipeline.check_credits_argument(credits);
  if reserve_credits.provider is null or reserve_credits.provider !~ '^[a-z][a-z0-9_]{0,62}$' then
    raise exception 'no provider is named %', coalesce(quote_literal(left(provider, 100)), 'null')
      using errcode = 'UP006',
            detail = 'provider is a word in lower case.',
            hint = 'Pass the name of the provider whose credits these are, as record_submission takes it.';
  end if;

  select d.owner_id into v_owner_id
    from upload_pipeline.documents as d
   where d.document_id = v_job.document_id;
  perform upload_pipeline.copy_default_caps(v_owner_id, provider);
  lock table upload_pipeline.credit_reservations in row exclusive mode;

  select r.* into v_open
    from upload_pipeline.credit_reservations as r
   where r.job_id = v_job.job_id
     and r.attempt = v_job.attempt
     and r.settled_at is null
     for no key update;

  if v_open.job_id is not null and again is not true then
    return query select 'duplicate'::upload_pipeline.outcome, v_open.attempt, v_open.reserved, v_open.reserved_at;
    return;
  end if;

  if v_open.job_id is not null then
    -- The submission happens now, so its charge moves into the current window.
    perform upload_pipeline.charge_caps(v_owner_id, v_open.provider, -v_open.reserved, v_open.reserved_at);
    v_at := upload_pipeline.charge_caps(v_owner_id, v_open.provider, v_open.reserved);

    update upload_pipeline.credit_reservations as r
       set reserved_at = v_at,
           check_after = v_at + interval '10 minutes'
     where r.job_id = v_open.job_id
       and r.attempt = v_open.attempt
       and r.ordinal = v_open.ordinal;
  else
    v_at := upload_pipeline.charge_caps(v_owner_id, provider, credits);

    insert into upload_pipeline.credit_reservations (
      job_id, attempt, ordinal, owner_id, provider, reserved, reserved_at, check_after
    )
    select v_job.job_id, v_job.attempt, coalesce(max(r.ordinal), 0) + 1, v_owner_id,
           reserve_credits.provider, credits, v_at, v_at + interval '10 minutes'
      from upload_pipeline.credit_reservations as r
     where r.job_id = v_job.job_id
       and r.attempt = v_job.attempt;
  end if;

  return query select 'applied'::upload_pipeline.outcome, v_job.attempt, coalesce(v_open.reserved, credits), v_at;
end;
$$;

comment on function upload_pipeline.reserve_credits(uuid, uuid, numeric, boolean, text) is
  'Call it before submitting: it reserves what a submission of the job''s attempt may cost, in credits of the '
  'provider. Outcomes: applied; duplicate (an earlier try made a reservation at reserved_at, and it is still open: '
  'look for the job at the provider first, and if it is not there, call once more with again => true, which moves the '
  'same reservation into the current window). What earlier submissions of the attempt were billed stays. Raises UP001, '
  'UP003, UP005, UP006; 55P03 after waiting 2 s for a lock.';

revoke all on function upload_pipeline.reserve_credits(uuid, uuid, numeric, boolean, text) from public;
grant execute on function upload_pipeline.reserve_credits(uuid, uuid, numeric, boolean, text) to hookline_worker;
