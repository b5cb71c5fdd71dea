begin;
\ir ../raw_dml.psql
select plan(4);
set local client_min_messages = error;

-- A job in every status, its upload confirmed; each with a provider job, and with a lease whose token is the job's id.
select pg_temp.make_job_in_status(s.status, s.status) from upload_pipeline.statuses as s;
update upload_pipeline.documents set upload_confirmed = true;
update upload_pipeline.upload_jobs
   set run_after = upload_pipeline.clock() - interval '1 day',
       deadline_at = case when not terminal then upload_pipeline.clock() - interval '1 day' end,
       lease_token = case when not terminal then job_id end,
       leased_by = case when not terminal then 'w' end,
       leased_until = case when not terminal then upload_pipeline.clock() + interval '1 day' end;
insert into upload_pipeline.provider_jobs (parse_job_id, job_id, attempt)
select j.status, j.job_id, j.attempt from upload_pipeline.upload_jobs as j;
set constraints all immediate;
set constraints all deferred;

-- One status of each combination of flags stands for all of them.
create temp table sample on commit drop as
  select distinct on (s.initial, s.terminal, s.failed, s.claimable, s.has_content) s.status
    from upload_pipeline.statuses as s
   order by s.initial, s.terminal, s.failed, s.claimable, s.has_content, s.status;
-- The codes that functions use, with the calls that do.
create temp table used (code text, calls text) on commit drop;
insert into used values
  ('job_created', 'create_job'), ('parse_submitted', 'record_submission'), ('parse_ready', 'parse_ready'),
  ('parse_failed', 'parse_failed|permanent|sweep'), ('parse_completed', 'finish_content|accept_content'),
  ('parse_restarted', 'start_over'), ('stage_retried', 'fail_job'), ('stage_deferred', 'defer_job'),
  ('stage_failed', 'permanent|sweep'), ('lease_expired', 'sweep'), ('job_completed', 'job_completed'),
  ('job_retried', 'retry_job'), ('job_released', 'release_job'), ('job_cancelled', 'cancel_job');

-- What somebody may make of a row: each flag turned, each time and number at its extremes.
-- `calls`: a pattern of the calls that it may concern; `status`: that of the jobs, if it concerns no others.
create temp table change (
  number int generated always as identity, statement text, calls text default '', status text
) on commit drop;
insert into change (statement)
select format(
         'update upload_pipeline.upload_jobs set lease_token = null, leased_by = null, leased_until = null; '
         'update upload_pipeline.statuses set %1$I = not %1$I where status = %2$L', flag, s.status
       )
  from sample as s
 cross join unnest(array['terminal', 'failed', 'claimable', 'has_content']) as flag;
insert into change (statement)
select format(
         'update upload_pipeline.statuses set initial = false where initial; '
         'update upload_pipeline.statuses set initial = true where status = %L', s.status
       )
  from sample as s;
insert into change (statement, calls)
select format('update upload_pipeline.statuses set %s where not terminal', setting),
       'parse_|fail_job|defer_job|sweep|create_job|retry_job|pause_stage|alerts'
  from unnest(array[
    'initial = false', 'initial = null', 'terminal = null', 'status = upper(status)',
    'overdue_after = null', 'overdue_after = ''0''', 'overdue_after = ''-1 day''', 'overdue_after = ''1 microsecond''',
    'overdue_after = ''366 days''', 'overdue_after = ''1 month -29 days''', 'overdue_after = ''178000000 years''',
    'overdue_after = ''infinity''', 'overdue_after = ''-infinity''',
    'retry_base = null', 'retry_base = ''0''', 'retry_base = ''-1 s''', 'retry_base = ''infinity''',
    'retry_base = ''1 microsecond'', retry_cap = ''1 microsecond''', 'retry_base = ''31 days'', retry_cap = ''31 days''',
    'retry_base = ''1 month -29 days'', retry_cap = ''31 days''', 'retry_cap = ''infinity''', 'retry_cap = null',
    'max_tries = null', 'max_tries = 0', 'max_tries = -1', 'max_tries = 1', 'max_tries = 2147483647',
    'paused_until = ''infinity'', paused_because = ''x'', paused_by = ''y''',
    'paused_until = ''-infinity'', paused_because = ''x'', paused_by = ''y''',
    'paused_until = ''294276-12-31'', paused_because = ''x'', paused_by = ''y''',
    'paused_until = ''4713-01-01 BC'', paused_because = ''x'', paused_by = ''y''',
    'paused_until = ''9998-12-31'', paused_because = ''x'', paused_by = ''y''',
    'paused_until = ''2000-01-02'', paused_because = '''', paused_by = ''''',
    'paused_until = now()', 'paused_because = ''x''', 'paused_by = ''y''', 'description = null', 'description = ''''',
    'failure_code = null', 'failure_code = ''nothing'''
  ]) as setting;
insert into change (statement, calls)
select format('update upload_pipeline.statuses set failure_code = %L where not terminal', u.code),
       'fail_job|sweep|stage_incomplete|alerts'
  from used as u;
insert into change (statement, calls)
select format('update upload_pipeline.event_codes set to_status = %L where code = %L', s.status, u.code), u.calls
  from used as u
 cross join (
   select d.status from sample as p join upload_pipeline.statuses as d using (status) where d.terminal or d.has_content
   union all
   select null
 ) as s;
insert into change (statement, calls)
select format('update upload_pipeline.event_codes set %s where code = %L', setting, u.code), u.calls
  from used as u
 cross join unnest(array[
   'reported = not reported', 'event_type = ''stage_done''', 'event_type = ''retry''', 'event_type = null',
   'event_type = ''nothing''', 'severity = null', 'severity = ''nothing'''
 ]) as setting;
insert into change (statement, calls)
select format('delete from upload_pipeline.event_codes where code = %L', u.code), u.calls from used as u;
insert into change (statement, status)
select format(
         'update upload_pipeline.transitions set enabled = not enabled where event_type = %L and from_status = %L',
         t.event_type, t.from_status
       ),
       t.from_status
  from upload_pipeline.transitions as t
  join sample as s on s.status = t.from_status
 group by t.event_type, t.from_status;
insert into change (statement, calls)
select format(
         'update upload_pipeline.transitions set enabled = false '
         'where event_type = ''retry'' and from_status = %1$L and to_status <> from_status; '
         'insert into upload_pipeline.transitions values (%1$L, %2$L, ''retry'') '
         'on conflict on constraint transitions_pkey do update set enabled = true', f.status, t.status
       ),
       'retry_job|start_over'
  from sample as f
 cross join sample as t
 where f.status <> t.status;
insert into change (statement)
values ('update upload_pipeline.transitions set enabled = false'),
       ('update upload_pipeline.transitions set enabled = null'),
       ('delete from upload_pipeline.transitions where from_status = to_status'),
       -- Every step that the table can hold.
       ($$insert into upload_pipeline.transitions (from_status, to_status, event_type)
          select f.status, t.status, y.type
            from upload_pipeline.statuses as f
           cross join upload_pipeline.statuses as t
           cross join unnest(array['stage_started', 'stage_done', 'stage_error', 'finalized', 'operator']) as y (type)
          on conflict do nothing$$),
       ('select');
-- Half of the changes on each server, since the versions differ in none of them: 18 takes the others than 15.
delete from change
 where number % 2 <> current_setting('server_version_num')::int / 10000 % 2
   and coalesce(current_setting('test.in_full', true), '') <> 'on'
   and statement <> 'select';

-- What is called then: %1$L is a job, %2$L its status.
create temp table call (statement text) on commit drop;
insert into call
select format('select upload_pipeline.advance_job(%%1$L, %%1$L, %L)', c.code)
  from upload_pipeline.event_codes as c
  join upload_pipeline.transitions as t on t.event_type = c.event_type
  join sample as s on s.status = t.from_status
 where c.event_type in ('stage_started', 'stage_done', 'finalized')
   and t.to_status = coalesce(c.to_status, t.from_status)
 group by c.code;
insert into call
select format(
         $$select upload_pipeline.receive_event('t', 'd', repeat('0', 64), 'e', %L, parse_job_id => %%2$L)$$, c.code
       )
  from upload_pipeline.event_codes as c
 where c.reported;
insert into call
select format('select upload_pipeline.%s', statement)
  from (
    values
      ($$fail_job(%1$L, %1$L, '{"code": "a", "error": "a"}')$$),
      ($$fail_job(%1$L, %1$L, '{"code": "a", "error": "a"}', permanent => true)$$),
      ($$fail_job(%1$L, %1$L, '{"code": "a", "error": "a"}', start_over => true)$$),
      ($$defer_job(%1$L, %1$L, '{"code": "a", "error": "a"}')$$),
      ($$release_lease(%1$L, %1$L)$$),
      ($$heartbeat(%1$L, %1$L)$$),
      ($$release_job(%1$L)$$),
      ($$retry_job(%1$L)$$),
      ($$cancel_job(%1$L)$$),
      ($$record_submission(%1$L, 1, 'p' || %2$L)$$),
      ($$finish_content(r.job_id, r.ordinal)
           from upload_pipeline.receive_content('t', 'd', repeat('0', 64), 'e', %1$L, '# x') as r
          where r.ordinal is not null$$),
      ($$accept_content(r.job_id, r.ordinal, '# x')
           from upload_pipeline.receive_content('t', 'd', repeat('0', 64), 'e', %1$L, '# x', recognised => false) as r
          where r.ordinal is not null$$),
      ($$create_job(d.owner_id, 'a.pdf', 'a/b', 1, d.file_sha256, 'storage://raw/a.pdf')
           from upload_pipeline.documents as d
           join upload_pipeline.upload_jobs as j using (document_id)
          where j.job_id = %1$L$$),
      ($$pause_stage(%2$L, upload_pipeline.clock() + interval '1 hour', 'x')$$),
      ($$claim_jobs(%2$L, 'sweep') from (select pg_temp.expire(%1$L)) as expired$$)
  ) as c (statement);
insert into call
values ('select count(*) from upload_pipeline.alerts'),
       ('select count(*) from upload_pipeline.queue_health'),
       ('select count(*) from upload_pipeline.stage_latency'),
       ('select upload_pipeline.purge(interval ''0'')');

create function pg_temp.expire(job_id uuid)
returns boolean
language sql
volatile
as $$
  update upload_pipeline.upload_jobs as j
     set leased_until = upload_pipeline.clock() - interval '1 day'
   where j.job_id = expire.job_id
     and j.lease_token is not null
  returning true
$$;

-- What a call ends in: `answered`, also by an error of ours, or the SQLSTATE and the message. Nothing of it stays.
create function pg_temp.end_of(statement text, job_id uuid, status text)
returns text
language plpgsql
as $$
begin
  execute format(statement, job_id, status);
  set constraints all immediate;
  raise exception using errcode = 'PASST';
exception
  when sqlstate 'PASST' then
    return 'answered';
  when others then
    -- A function says what is wrong. UP010 would be the triggers' word for a function that does not.
    return case when sqlstate ~ '^UP' and sqlstate <> 'UP010' then 'answered' else sqlstate || ': ' || sqlerrm end;
end;
$$;

-- The calls that do not end well after a change; `refused` where the change is.
create function pg_temp.ends_after(change text, calls text, of_status text)
returns text[]
language plpgsql
as $$
declare
  v_ends text[];
begin
  begin
    execute change;
    set constraints all immediate;
    set constraints all deferred;
  exception
    when integrity_constraint_violation or sqlstate 'UP011' or invalid_datetime_format or datetime_field_overflow then
      return array['refused'];
  end;

  select array_agg(distinct format('%s, %s: %s', j.status, c.statement, e.ended)) into v_ends
    from upload_pipeline.upload_jobs as j
    join sample as s on s.status = j.correlation_id
   cross join call as c
   cross join lateral pg_temp.end_of(c.statement, j.job_id, j.status) as e (ended)
   where c.statement ~ calls
     and j.correlation_id = coalesce(of_status, j.correlation_id)
     and e.ended <> 'answered'
     and (c.statement ~ '%[12]' or j.correlation_id = 'uploaded');
  raise exception using errcode = 'PASST', message = coalesce(v_ends, '{}')::text;
exception
  when sqlstate 'PASST' then
    return sqlerrm::text[];
end;
$$;

create temp table result on commit drop as
  select c.statement, pg_temp.ends_after(c.statement, c.calls, c.status) as ends from change as c;

select cmp_ok(
  (select count(*) from result where ends = array['refused']), '>', 30::bigint, 'some changes are refused'
);
select cmp_ok((select count(*) from result where ends = '{}'), '>', 100::bigint, 'some changes work');
select is(
  (select ends from result where statement = 'select'), '{}', 'without a change every call is answered'
);
select is_empty(
  $$select statement, e from result, unnest(ends) as e where e <> 'refused'$$,
  'after every other change, every call of every function for a job in every status is answered'
);

select * from finish();
rollback;
