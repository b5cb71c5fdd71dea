begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(7);

select is(upload_pipeline.apply_parked(), null, 'without parked deliveries apply_parked returns null');
select pg_temp.make_job('a');
select pg_temp.make_job('b');
select pg_temp.receive_event(delivery_id => 'd1', code => 'parse_started', parse_job_id => 'p1');
select pg_temp.receive_event(delivery_id => 'd2', code => 'parse_ready', parse_job_id => 'p1');
select pg_temp.receive_event(delivery_id => 'd3', code => 'parse_ready', parse_job_id => 'p2');
select pg_temp.receive_event(delivery_id => 'd4', code => 'parse_ready', parse_job_id => 'another application''s');
-- A partial restore can leave the tables like this.
insert into upload_pipeline.provider_jobs (parse_job_id, job_id, attempt)
values ('p1', pg_temp.job('a'), 1), ('p2', pg_temp.job('b'), 1);
select bag_eq(
  'select upload_pipeline.apply_parked() from generate_series(1, 3)', $$values ('p1'), ('p2'), (null)$$,
  'each call applies the deliveries of one provider job'
);
select is(pg_temp.status('a'), 'parse_ready', 'both deliveries of p1 are applied to its job');
select is(
  pg_temp.delivery('d1') || ', ' || pg_temp.delivery('d2'), 'applied a x1, applied a x1',
  'the deliveries are applied in the order of their arrival'
);
select is(pg_temp.status('b'), 'parse_ready', 'the delivery of p2 is applied to its job');
select is(pg_temp.delivery('d4'), 'parked - x1', 'a delivery of an unknown provider job stays parked');
select is_empty('select * from upload_pipeline.check_integrity()', 'check_integrity finds nothing');

select * from finish();
rollback;
