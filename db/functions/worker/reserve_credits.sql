-- Made before submitting, so that a row which is open tells the next worker that the provider may have the job: it
-- looks there before it pays again. Locks: job, reservation, caps, which are last: set_credit_cap shuts out whoever
-- writes a reservation, then takes them.
create or replace function upload_pipeline.reserve_credits(
  job_id uuid,
  lease_token uuid,
  credits numeric,
  again boolean default false
)
returns table (outcome upload_pipeline.outcome, attempt integer, reserved numeric, reserved_at timestamptz)
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '2s'
as $$
declare
  v_job upload_pipeline.upload_jobs := upload_pipeline.lock_leased_job(job_id, lease_token);
  v_owner_id uuid;
  v_previous upload_pipeline.credit_reservations;
  v_reserved numeric;
  v_now timestamptz;
begin
  if credits is null or credits < 0 or credits = 'NaN' or credits = 'Infinity' then
    raise exception 'cannot reserve % credits for job %', coalesce(credits::text, 'null'), v_job.job_id
      using errcode = 'UP006',
            detail = 'credits is a number of 0 or more.',
            hint = 'Pass what parsing the document may cost: pages times the credits a page of its tier.';
  end if;

  select r.* into v_previous
    from upload_pipeline.credit_reservations as r
   where r.job_id = v_job.job_id
     and r.attempt = v_job.attempt
     for no key update;

  if v_previous.check_after is not null and again is not true then
    return query select 'duplicate'::upload_pipeline.outcome, v_previous.attempt, v_previous.reserved,
      v_previous.reserved_at;
    return;
  end if;

  select d.owner_id into v_owner_id
    from upload_pipeline.documents as d
   where d.document_id = v_job.document_id;

  v_now := upload_pipeline.clock();
  v_reserved := case when v_previous.check_after is not null then v_previous.reserved
                     else coalesce(v_previous.billed, 0) + credits end;

  insert into upload_pipeline.credit_reservations as r (
    job_id, attempt, owner_id, reserved, reserved_at, check_after
  ) values (
    v_job.job_id, v_job.attempt, v_owner_id, v_reserved, v_now, v_now + interval '10 minutes'
  )
  on conflict on constraint credit_reservations_pkey do update
     set reserved = excluded.reserved,
         billed = null,
         reserved_at = excluded.reserved_at,
         settled_at = null,
         check_after = excluded.check_after;

  -- What is submitted only now counts now: in the window of the first call, if that goes on, it is not counted twice.
  if v_previous.check_after is not null then
    perform upload_pipeline.charge_caps(v_owner_id, -v_reserved, v_previous.reserved_at);
    perform upload_pipeline.charge_caps(v_owner_id, v_reserved);
  else
    perform upload_pipeline.charge_caps(v_owner_id, credits);
  end if;

  return query select 'applied'::upload_pipeline.outcome, v_job.attempt, v_reserved, v_now;
end;
$$;

comment on function upload_pipeline.reserve_credits(uuid, uuid, numeric, boolean) is
  'Before submitting: reserves what the job''s attempt may cost, one reservation an attempt. Outcomes: applied; duplicate '
  '(an earlier try got as far at reserved_at: look for the job at the provider first; if it is not there, call once '
  'more with again => true, which reserves the same anew, in the window of now). Raises UP001, UP003, UP005, UP006; 55P03 after waiting 2 s '
  'for a lock.';

revoke all on function upload_pipeline.reserve_credits(uuid, uuid, numeric, boolean) from public;
grant execute on function upload_pipeline.reserve_credits(uuid, uuid, numeric, boolean) to hookline_worker;
