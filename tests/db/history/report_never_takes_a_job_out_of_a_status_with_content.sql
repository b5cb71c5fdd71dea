begin;
\ir ../raw_dml.psql
select plan(7);

-- A job in every status, each with its provider job, and every code that a provider may report.
select pg_temp.make_job_in_status(s.status, s.status) from upload_pipeline.statuses as s;
insert into upload_pipeline.provider_jobs (provider, parse_job_id, job_id, attempt)
select 'test', j.status, j.job_id, j.attempt from upload_pipeline.upload_jobs as j;
set constraints all immediate;
set constraints all deferred;

-- The outcome of a delivery, and the status that the job has after it. Nothing of it stays.
create function pg_temp.outcome_of(call text, job text)
returns text
language plpgsql
as $$
declare
  v_receipt upload_pipeline.receipt;
  v_status text;
begin
  execute call into v_receipt;
  set constraints all immediate;
  select j.status into v_status from upload_pipeline.upload_jobs as j where j.correlation_id = outcome_of.job;
  raise exception using errcode = 'PASST', message = format('%s %s', v_receipt.outcome, v_status);
exception
  when sqlstate 'PASST' then
    return sqlerrm;
  when others then
    return sqlstate;
end;
$$;

create temp table report on commit drop as
  select s.status, s.has_content, c.code,
         (upload_pipeline.resolve_step(s.status, c.code)).status as leads_to,
         pg_temp.outcome_of(
           format(
             $call$select (r).* from upload_pipeline.receive_event(
               source => 'test', delivery_id => 'd', body_sha256 => repeat('0', 64), event_type => 'test', code => %L,
               parse_job_id => %L
             ) as r$call$,
             c.code, s.status
           ),
           s.status
         ) as outcome
    from upload_pipeline.statuses as s
   cross join upload_pipeline.event_codes as c
   where c.reported
     and c.code <> 'parse_completed';

select cmp_ok((select count(*) from report where has_content), '>', 0::bigint, 'reports came to jobs with content');
select is_empty(
  $$select * from report where has_content and outcome <> format('stale %s', status)$$,
  'every report to a job with content is stale'
);
select is_empty(
  $$select * from report
     where not has_content
       and outcome <> case when leads_to is null then format('stale %s', status) else format('applied %s', leads_to) end$$,
  'every other report is applied where the machine has a step for it'
);

-- The same for content: kept, then finished.
create temp table content on commit drop as
  select s.status, s.has_content,
         (upload_pipeline.resolve_step(s.status, 'parse_completed')).status as leads_to,
         pg_temp.outcome_of(
           format(
             $call$select (r).* from upload_pipeline.receive_content(
               source => 'test', delivery_id => 'd', body_sha256 => repeat('0', 64), event_type => 'test', job_id => %L,
               content => '# Another', parse_job_id => %L
             ) as r$call$,
             j.job_id, s.status
           ),
           s.status
         ) as received
    from upload_pipeline.statuses as s
    join upload_pipeline.upload_jobs as j on j.correlation_id = s.status;
select is_empty(
  $$select * from content where has_content and received <> format('stale %s', status)$$,
  'other content for a job with content is stale'
);
select is_empty(
  $$select * from content
     where not has_content
       and received <> format('%s %s', case when leads_to is null then 'stale' else 'kept' end, status)$$,
  'content for every other job is kept where the machine has a step for it'
);

-- Transitions know types, not codes: a way out for one code must not become a way out for a report.
insert into upload_pipeline.transitions (from_status, to_status, event_type)
select distinct s.status, c.to_status, c.event_type
  from upload_pipeline.statuses as s
 cross join upload_pipeline.event_codes as c
 where s.has_content
   and c.reported
   and c.to_status <> s.status
on conflict on constraint transitions_pkey do update set enabled = true;
select is_empty(
  $$select s.status, c.code, o.outcome
      from upload_pipeline.statuses as s
     cross join upload_pipeline.event_codes as c
     cross join lateral pg_temp.outcome_of(
       format(
         $call$select (r).* from upload_pipeline.receive_event(
           source => 'test', delivery_id => 'd', body_sha256 => repeat('0', 64), event_type => 'test', code => %L,
           parse_job_id => %L
         ) as r$call$,
         c.code, s.status
       ),
       s.status
     ) as o (outcome)
     where s.has_content
       and c.reported
       and c.code <> 'parse_completed'
       and o.outcome <> format('stale %s', s.status)$$,
  'no transition makes a report take a job out of a status with content'
);
select is_empty(
  $$select s.status, o.outcome
      from upload_pipeline.statuses as s
      join upload_pipeline.upload_jobs as j on j.correlation_id = s.status
     cross join lateral pg_temp.outcome_of(
       format(
         $call$select (r).* from upload_pipeline.receive_content(
           source => 'test', delivery_id => 'd', body_sha256 => repeat('0', 64), event_type => 'test', job_id => %L,
           content => '# Another', parse_job_id => %L
         ) as r$call$,
         j.job_id, s.status
       ),
       s.status
     ) as o (outcome)
     where s.has_content
       and o.outcome <> format('stale %s', s.status)$$,
  'nor makes content replace the content that is there'
);

select * from finish();
rollback;
