create or replace view upload_pipeline.credit_status as
select cap.provider,
       cap.scope,
       cap.owner_id,
       cap.period,
       cap.credits,
       cap.used,
       greatest(cap.credits - cap.used, 0) as remaining,
       cap.starts_at,
       (cap.starts_at at time zone 'UTC' + ('1 ' || cap.period)::interval) at time zone 'UTC' as resets_at
  from (
    select c.provider,
           c.scope,
           c.owner_id,
           c.period,
           c.credits,
           case when c.starts_at >= w.starts_at then c.used else 0 end as used,
           greatest(c.starts_at, w.starts_at) as starts_at
      from upload_pipeline.credit_caps as c
      cross join lateral (select date_trunc(c.period, upload_pipeline.clock(), 'UTC') as starts_at) as w
  ) as cap;

comment on view upload_pipeline.credit_status is
  'One row for each cap: what is used (reserved or billed) and left in the current window, and when the window '
  'ends. scope is all (all owners together), owner (a cap of an owner''s own) or each (the cap of every other '
  'owner: a row for each owner who has reserved, and one without owner_id for the amount).';

revoke all on upload_pipeline.credit_status from public;
grant select on upload_pipeline.credit_status to hookline_reader, hookline_worker;
