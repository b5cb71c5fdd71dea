begin;
\ir ../raw_dml.psql
select plan(5);

select pg_temp.make_job_in_status(s.status, s.status) from upload_pipeline.statuses as s;
update upload_pipeline.transitions set enabled = false where event_type = 'retry';
set constraints all immediate;
set constraints all deferred;

-- What move_job_or_raise makes of a job: the event and the job after it, or the SQLSTATE.
create function pg_temp.transit(job text, code text, to_status text)
returns text
language plpgsql
as $$
declare
  v_job upload_pipeline.upload_jobs;
  v_event upload_pipeline.events;
begin
  select j.* into v_job from upload_pipeline.upload_jobs as j where j.correlation_id = transit.job;
  select c.path, c.content_sha256, c.content_bytes into v_job.parsed_path, v_job.parsed_sha256, v_job.parsed_bytes
    from upload_pipeline.contents as c
   where c.job_id = v_job.job_id;
  v_job.last_error := '{}';

  v_event := upload_pipeline.move_job_or_raise(
    job => v_job, step => upload_pipeline.resolve_step(v_job.status, code, to_status), payload => '{}'
  );
  set constraints all immediate;
  select j.* into v_job from upload_pipeline.upload_jobs as j where j.job_id = v_job.job_id;
  raise exception using errcode = 'PASST', message = format(
    '%s %s %s %s', v_event.from_status, v_event.type, v_job.status, v_job.version = v_event.version
  );
exception
  when sqlstate 'PASST' then
    return sqlerrm;
  when others then
    return sqlstate;
end;
$$;

create temp table step on commit drop as
  select f.status as from_status, c.code, t.status as asked, c.event_type as type, l.status as to_status,
         exists (
           select
             from upload_pipeline.transitions as r
            where (r.from_status, r.to_status, r.event_type, r.enabled) = (f.status, l.status, c.event_type, true)
              and c.to_status is distinct from f.status
         ) as legal,
         (upload_pipeline.resolve_step(f.status, c.code, t.status)).status as next_status,
         pg_temp.transit(f.status, c.code, t.status) as outcome
    from upload_pipeline.statuses as f
   cross join upload_pipeline.event_codes as c
   cross join (select s.status from upload_pipeline.statuses as s union all select null) as t
   cross join lateral (select coalesce(t.status, c.to_status, f.status)) as l (status);

select cmp_ok((select count(*) from step where legal), '>', 0::bigint, 'some steps are legal');
select cmp_ok((select count(*) from step where not legal), '>', 0::bigint, 'some steps are illegal');
select is_empty(
  $$select from_status, code, asked, outcome
      from step where legal and outcome <> format('%s %s %s t', from_status, type, to_status)$$,
  'every legal step is taken with its event'
);
select is_empty(
  $$select from_status, code, asked, outcome from step where not legal and outcome <> 'UP002'$$,
  'every other step is refused'
);
select is_empty(
  $$select from_status, code, asked, next_status
      from step where next_status is distinct from case when legal then to_status end$$,
  'resolve_step predicts the new status of every step'
);

select * from finish();
rollback;
