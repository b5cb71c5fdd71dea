begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(8);

select pg_temp.make_job('a');
select upload_pipeline.record_submission(job_id => pg_temp.job('a'), attempt => 1, parse_job_id => 'p1');
select upload_pipeline.retry_job(job_id => pg_temp.job('a'));

select is(
  pg_temp.summary(pg_temp.receive_event(
    delivery_id => 'd1', code => 'parse_ready', job_id => pg_temp.job('a'), parse_job_id => 'p2', attempt => 1
  )),
  'stale uploaded 4', 'a success of an unrecorded provider job of attempt 1 is stale in attempt 2'
);
select is(
  pg_temp.summary(pg_temp.receive_event(
    delivery_id => 'd2', code => 'parse_ended', job_id => pg_temp.job('a'), parse_job_id => 'p2', attempt => 1
  )),
  'stale uploaded 4', 'so is its failure'
);
select is(
  pg_temp.summary(pg_temp.receive_event(
    delivery_id => 'd3', code => 'parse_ready', job_id => pg_temp.job('a'), parse_job_id => 'p1', attempt => 2
  )),
  'stale uploaded 4', 'the attempt that is recorded for a provider job counts before the one that a sender names'
);
select is(
  pg_temp.summary(pg_temp.receive_event(
    delivery_id => 'd4', code => 'parse_started', job_id => pg_temp.job('a'), parse_job_id => 'p3', attempt => 2
  )),
  'applied parse_queued 5 event', 'an unrecorded provider job of attempt 2 counts for attempt 2'
);
select is(
  pg_temp.summary(pg_temp.receive_event(
    delivery_id => 'd5', code => 'parse_ready', job_id => pg_temp.job('a'), parse_job_id => 'p4', attempt => 3
  )),
  'applied parse_ready 6 event', 'an attempt after the current one, lost by a restore, counts for the current one'
);
select results_eq(
  'select parse_job_id, attempt from upload_pipeline.provider_jobs order by 1',
  $$values ('p1', 1), ('p3', 2), ('p4', 2)$$,
  'a provider job is recorded for the attempt that it moved'
);
select throws_ok(
  $$select pg_temp.receive_event(
    delivery_id => 'd6', code => 'parse_ready', job_id => pg_temp.job('a'), parse_job_id => 'p5', attempt => 0
  )$$,
  'UP006', null, 'an attempt below 1 is refused'
);
select is_empty('select * from upload_pipeline.check_integrity()', 'check_integrity finds nothing');

select * from finish();
rollback;
