begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(7);

create function pg_temp.failures() returns table (at timestamptz, span interval, count bigint)
language sql as $$
  select a.at, a.span, a.count from upload_pipeline.activity as a where a.failed order by a.at
$$;

select pg_temp.set_clock('2030-01-01 12:10:58+00');
select pg_temp.make_job(name) from unnest(array['a', 'b', 'c']) as name;
select pg_temp.receive_event(delivery_id => 'd1', code => 'parse_failed', job_id => pg_temp.job('a'));
select pg_temp.set_clock('2030-01-01 12:10:59+00');
select pg_temp.receive_event(delivery_id => 'd2', code => 'parse_failed', job_id => pg_temp.job('b'));
select pg_temp.set_clock('2030-01-01 12:11:00+00');
select pg_temp.receive_event(delivery_id => 'd3', code => 'parse_failed', job_id => pg_temp.job('c'));
select results_eq(
  'select at, span, from_status, to_status, code, failed, count from upload_pipeline.activity order by at, failed, code',
  $$values (timestamptz '2030-01-01 12:10+00', interval '1 minute', null, 'uploaded', 'job_created', false, 3::bigint),
           ('2030-01-01 12:10+00', '1 minute', 'uploaded', 'uploaded', 'upload_confirmed', false, 3),
           ('2030-01-01 12:10+00', '1 minute', 'uploaded', 'failed_parse', 'parse_failed', true, 2),
           ('2030-01-01 12:11+00', '1 minute', 'uploaded', 'failed_parse', 'parse_failed', true, 1)$$,
  'steps are counted by minute, statuses and code'
);

select upload_pipeline.roll_up_activity();
select is_empty($$select from upload_pipeline.activity_counts where span = 'new'$$, 'a roll-up adds up the new rows');
select results_eq(
  'select * from pg_temp.failures()',
  $$values (timestamptz '2030-01-01 12:10+00', interval '1 minute', 2::bigint), ('2030-01-01 12:11+00', '1 minute', 1)$$,
  'and changes no number'
);

select pg_temp.set_clock('2030-01-02 12:59:59+00');
select upload_pipeline.roll_up_activity();
select is((select count(*) from pg_temp.failures()), 2::bigint, 'minutes stay for a day, and until their hour has passed');
select pg_temp.set_clock('2030-01-02 13:00+00');
select upload_pipeline.roll_up_activity();
select results_eq(
  'select * from pg_temp.failures()',
  $$values (timestamptz '2030-01-01 12:00+00', interval '1 hour', 3::bigint)$$, 'then they are one hour'
);

select pg_temp.set_clock('2030-01-31 13:00+00');
select upload_pipeline.roll_up_activity();
select is_empty('select * from upload_pipeline.activity', 'after 30 days no time is known');
select upload_pipeline.roll_up_activity();
select results_eq(
  'select span, from_status, to_status, code, count from upload_pipeline.activity_counts where source is null order by code',
  $$values ('earlier', null, 'uploaded', 'job_created', 3::bigint),
           ('earlier', 'uploaded', 'failed_parse', 'parse_failed', 3),
           ('earlier', 'uploaded', 'uploaded', 'upload_confirmed', 3)$$,
  'and one row keeps the sum for ever, however often it is rolled up'
);

select * from finish();
rollback;
